use super::*;

fn key(code: KeyCode, modifiers: KeyModifiers) -> Option<Wish> {
    wish(&Event::Key(KeyEvent::new(code, modifiers)))
}

#[test]
fn keys_sort_and_leave() {
    let plain = |key: char| self::key(KeyCode::Char(key), KeyModifiers::NONE);
    assert_eq!(plain('q'), Some(Wish::Leave));
    assert_eq!(plain('b'), Some(Wish::Sort(Sort::Bytes)));
    assert_eq!(plain('c'), None);
    assert_eq!(
        key(KeyCode::Char('c'), KeyModifiers::CONTROL),
        Some(Wish::Leave)
    );
    assert_eq!(key(KeyCode::Esc, KeyModifiers::NONE), Some(Wish::Leave));
    assert_eq!(wish(&Event::Resize(80, 25)), None);
}
