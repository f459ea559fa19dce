use std::io::Read;

use super::*;

fn names(path: &Path) -> Vec<(String, u32, String)> {
    let mut file = File::open(path).expect("an archive");
    let mut found = Vec::new();
    loop {
        let mut reader = cpio::newc::Reader::new(file).expect("an entry");
        if reader.entry().is_trailer() {
            return found;
        }
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("text");
        found.push((
            reader.entry().name().to_owned(),
            reader.entry().mode(),
            text,
        ));
        file = reader.finish().expect("the next entry");
    }
}

#[test]
fn directories_come_once_and_before_what_is_in_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.cpio");
    let mut archive = Archive::create(&path).expect("created");
    archive
        .text("/lib/modules/load", 0o644, "x\n")
        .expect("added");
    archive.console().expect("added");
    archive.finish().expect("finished");
    let found = names(&path);
    let order: Vec<&str> = found.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(
        order,
        [
            "lib",
            "lib/modules",
            "lib/modules/load",
            "dev",
            "dev/console"
        ]
    );
    assert_eq!(found[2].1, 0o100_644);
    assert_eq!(found[2].2, "x\n");
}

#[test]
fn joined_parts_start_at_multiples_of_four() {
    let dir = tempfile::tempdir().expect("a directory");
    let part = dir.path().join("part");
    std::fs::write(&part, "abcde").expect("written");
    let whole = dir.path().join("whole");
    join(&[&part, &part], &whole).expect("joined");
    assert_eq!(
        std::fs::read(&whole).expect("read"),
        b"abcde\0\0\0abcde\0\0\0"
    );
}
