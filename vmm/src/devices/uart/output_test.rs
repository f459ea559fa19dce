use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use super::*;

fn sink(stream: UnixStream) -> Option<Arc<File>> {
    Some(Arc::new(File::from(OwnedFd::from(stream))))
}

#[test]
fn early_output_waits_for_its_reader() {
    let mut output = Output::start("test").unwrap();
    output.write_all(b"early ").unwrap();
    let (mut reader, writer) = UnixStream::pair().unwrap();
    output.set_sink(sink(writer));
    output.write_all(b"late").unwrap();
    let mut seen = [0; 10];
    reader.read_exact(&mut seen).unwrap();
    assert_eq!(&seen, b"early late");
    output.close();
}

#[test]
fn a_socket_that_nobody_reads_blocks_nobody_and_loses_the_oldest() {
    let mut output = Output::start("test").unwrap();
    let (_reader, writer) = UnixStream::pair().unwrap();
    output.set_sink(sink(writer));
    let block = [b'x'; 4096];
    for _ in 0..1024 {
        output.write_all(&block).unwrap();
    }
    assert!(output.lost() > 0);
    assert!(output.shared.lock().queue.len() <= BACKLOG);
    output.close();
}

#[test]
fn a_reader_that_left_is_replaced_by_the_next() {
    let mut output = Output::start("test").unwrap();
    let (reader, writer) = UnixStream::pair().unwrap();
    drop(reader);
    output.set_sink(sink(writer));
    output.write_all(b"lost").unwrap();
    let state = output.shared.lock();
    drop(
        output
            .shared
            .changed
            .wait_while(state, |s| s.sink.is_some())
            .unwrap(),
    );
    let (mut reader, writer) = UnixStream::pair().unwrap();
    output.set_sink(sink(writer));
    output.write_all(b"seen").unwrap();
    let mut seen = [0; 4];
    reader.read_exact(&mut seen).unwrap();
    assert_eq!(&seen, b"seen");
    output.close();
}
