use super::*;

fn build(dir: &Path, content: &str) -> bool {
    let inputs = Inputs::default()
        .word("v1")
        .path(&dir.join("in"))
        .expect("readable");
    when_changed(&dir.join("out"), inputs, || {
        Ok(fs::write(dir.join("out"), content)?)
    })
    .expect("builds")
}

#[test]
fn builds_only_when_an_input_changed_or_the_product_is_gone() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir(dir.path().join("in")).expect("a directory");
    fs::write(dir.path().join("in/a"), "1").expect("written");
    assert!(build(dir.path(), "x"));
    assert!(!build(dir.path(), "x"));
    fs::write(dir.path().join("in/a"), "2").expect("written");
    assert!(build(dir.path(), "x"));
    fs::rename(dir.path().join("in/a"), dir.path().join("in/b")).expect("renamed");
    assert!(build(dir.path(), "x"));
    fs::remove_file(dir.path().join("out")).expect("removed");
    assert!(build(dir.path(), "x"));
}

#[test]
fn a_failed_build_leaves_no_stamp() {
    let dir = tempfile::tempdir().expect("a directory");
    let product = dir.path().join("out");
    let failed = when_changed(&product, Inputs::default(), || {
        fs::write(&product, "half")?;
        anyhow::bail!("no")
    });
    assert!(failed.is_err());
    assert!(when_changed(&product, Inputs::default(), || Ok(())).expect("builds"));
}
