use super::*;

fn of(numbers: &[u64]) -> Sequence {
    let mut sequence = Sequence::default();
    numbers.iter().for_each(|n| sequence.came(*n));
    sequence
}

fn counts(sequence: &Sequence) -> (u64, u64, u64, u64) {
    (
        sequence.count(),
        sequence.lost(),
        sequence.duplicated,
        sequence.out_of_order,
    )
}

#[test]
fn in_order() {
    assert_eq!(counts(&of(&[0, 1, 2])), (3, 0, 0, 0));
}

#[test]
fn lost_duplicated_and_late() {
    assert_eq!(counts(&of(&[0, 3])), (2, 2, 0, 0));
    assert_eq!(counts(&of(&[0, 1, 1, 0])), (2, 0, 2, 0));
    assert_eq!(counts(&of(&[0, 2, 1])), (3, 0, 0, 1));
    assert_eq!(counts(&of(&[0, 2, 1, 1])), (3, 0, 1, 1));
}

#[test]
fn the_last_ones_lost() {
    let mut sequence = of(&[0, 1]);
    sequence.ended(5);
    assert_eq!(counts(&sequence), (2, 3, 0, 0));
    let mut none = of(&[]);
    none.ended(0);
    assert_eq!(counts(&none), (0, 0, 0, 0));
}

#[test]
fn a_hole_of_any_size_costs_bounded_memory() {
    let sequence = of(&[u64::MAX - 1]);
    assert_eq!(sequence.lost(), u64::MAX - 1);
    assert_eq!(sequence.missing.len(), MISSING_MAX);
}
