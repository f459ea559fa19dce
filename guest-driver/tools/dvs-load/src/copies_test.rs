use super::*;

#[test]
fn blocks_of_different_numbers_differ_in_every_word() {
    let (mut one, mut other) = (vec![0; 64], vec![0; 64]);
    fill(&mut one, 7);
    fill(&mut other, 8);
    for (one, other) in one.chunks(8).zip(other.chunks(8)) {
        assert_ne!(one, other);
    }
    fill(&mut other, 7);
    assert_eq!(one, other);
}
