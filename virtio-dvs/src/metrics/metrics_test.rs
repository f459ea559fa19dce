use super::*;

#[derive(Debug)]
struct Part;

impl Collector for Part {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut writer = Writer::new(encoder);
        let of = |vm: &str| vec![("vm", vm.to_owned())];
        let frames = [(of("1"), 7), (of("2"), u64::MAX)];
        writer.counters("dvs_frames", "Frames.", frames)?;
        writer.gauges("dvs_uptime_seconds", "Time.", [(Vec::new(), 1.5)])?;
        writer.unknown("dvs_exits", "Exits.", [(of("\"\n"), 3.0)])
    }
}

#[derive(Debug)]
struct Gone;

impl Collector for Gone {
    fn encode(&self, _: DescriptorEncoder<'_>) -> fmt::Result {
        Err(fmt::Error)
    }
}

#[test]
fn figures_have_names_labels_and_an_end() {
    let mut metrics = Metrics::default();
    metrics.add(Box::new(Part));
    let expected = "\
# HELP dvs_frames Frames.
# TYPE dvs_frames counter
dvs_frames_total{vm=\"1\"} 7
dvs_frames_total{vm=\"2\"} 18446744073709551615
# HELP dvs_uptime_seconds Time.
# TYPE dvs_uptime_seconds gauge
dvs_uptime_seconds 1.5
# HELP dvs_exits Exits.
# TYPE dvs_exits unknown
dvs_exits{vm=\"\\\"\\n\"} 3.0
# EOF
";
    assert_eq!(metrics.text().unwrap(), expected);
}

#[test]
fn a_part_that_does_not_answer_is_an_error() {
    let mut metrics = Metrics::default();
    metrics.add(Box::new(Gone));
    assert!(metrics.text().is_err());
}
