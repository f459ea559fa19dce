use super::*;

#[test]
fn a_page_is_a_page() {
    assert_eq!(size_of::<Page>(), 4096);
    assert_eq!(align_of::<Page>(), 4096);
}

#[test]
fn pages_that_nobody_else_touches_are_whole() {
    let mut pages = Pages::new(5);
    assert_eq!(pages.wrong(), 0);
    for _ in 0..23 {
        assert!(pages.write());
        assert_eq!(pages.wrong(), 0);
    }
    assert_eq!(pages.writes(), 23);
}

#[test]
fn an_older_page_is_found() {
    let mut pages = Pages::new(4);
    for _ in 0..4 {
        assert!(pages.write());
    }
    let old = pages.pages[2];
    for _ in 0..4 {
        assert!(pages.write());
    }
    pages.pages[2] = old;
    assert_eq!(pages.wrong(), 1);
    let whole: Vec<bool> = (0..4).map(|_| pages.write()).collect();
    assert_eq!(whole, [true, true, false, true]);
}

#[test]
fn one_changed_byte_is_found() {
    let mut pages = Pages::new(4);
    pages.pages[3].body[100] ^= 1;
    pages.pages[1].last ^= 1 << 40;
    assert_eq!(pages.wrong(), 2);
}
