use std::io::{BufRead, BufReader};
use std::thread;

use super::*;

fn pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().expect("a pair of sockets")
}

#[test]
fn a_line_of_text_may_begin_at_one_socket_and_end_at_the_next() {
    let ((ours, mut first), (next, mut second)) = (pair(), pair());
    let (line, reading) = Line::new(ours).expect("a line");
    line.announce();
    let reader = thread::spawn(move || {
        let lines = BufReader::new(reading).lines();
        lines.collect::<Result<Vec<String>, _>>().expect("read")
    });
    first.write_all(b"one\ntw").expect("written");
    drop(first);
    second.write_all(b"o\nthree\n").expect("written");
    line.go_on(next);
    drop(second);
    assert_eq!(reader.join().expect("ends"), ["one", "two", "three"]);
}

#[test]
fn what_was_announced_and_does_not_come_ends_the_line() {
    let (ours, theirs) = pair();
    let (line, mut reading) = Line::new(ours).expect("a line");
    line.announce();
    drop(theirs);
    let reader = thread::spawn(move || reading.read(&mut [0; 8]).expect("read"));
    line.stay();
    assert_eq!(reader.join().expect("ends"), 0);
}

#[test]
fn what_is_sent_goes_to_where_the_guest_is() {
    let ((ours, theirs), (next, second)) = (pair(), pair());
    let (line, _reading) = Line::new(ours).expect("a line");
    line.send("one").expect("sent");
    line.send_to(next);
    line.send("two").expect("sent");
    for (socket, wanted) in [(theirs, "one\n"), (second, "two\n")] {
        let mut said = String::new();
        BufReader::new(socket).read_line(&mut said).expect("read");
        assert_eq!(said, wanted);
    }
}
