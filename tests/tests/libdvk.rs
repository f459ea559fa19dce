//! The C libraries, as far as they can be tested without a guest: `libdvk` compiles
//! in the ways that programs compile it, and asks the driver for the right things;
//! each function of `libdvs` has a manual page.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Flags of programs that were written for the DVS.
const OLD: &[&str] = &["-w"];
/// Flags of our own.
const STRICT: &[&str] = &["-Wall", "-Wextra", "-Werror"];

fn driver() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-driver")
}

fn c_files(directory: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let files = entries.map(|entry| entry.unwrap_or_else(|error| panic!("{error}")).path());
    let files: Vec<PathBuf> = files
        .filter(|path| path.extension() == Some(OsStr::new("c")))
        .collect();
    assert!(!files.is_empty(), "no C file in {}", directory.display());
    files
}

/// Compiles these files and the library into a program in `directory`.
fn compile(directory: &Path, flags: &[&str], files: &[PathBuf]) -> PathBuf {
    let product = directory.join("program");
    let mut cc = Command::new("cc");
    cc.args(["-O1", "-pthread"]).args(flags);
    for include in ["libdvs/libdvk/include", "linux/include/uapi"] {
        cc.arg("-I").arg(driver().join(include));
    }
    cc.args(files)
        .args(c_files(&driver().join("libdvs/libdvk")))
        .arg("-o")
        .arg(&product);
    run(&mut cc);
    product
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary directory: {error}"))
}

fn own(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/libdvk")
        .join(name)
}

#[test]
fn asks_the_driver_and_understands_it() {
    let directory = directory();
    let flags = [
        STRICT,
        &["-fsanitize=address,undefined", "-Wl,--wrap=ioctl"],
    ]
    .concat();
    let mut files = c_files(&own("faked"));
    files.push(own("layout.c"));
    run(&mut Command::new(compile(directory.path(), &flags, &files)));
}

#[test]
fn old_programs_compile() {
    for standard in ["-std=gnu17", "-std=gnu11", "-std=gnu89"] {
        let flags = [OLD, &[standard]].concat();
        compile(directory().path(), &flags, &[own("old_style.c")]);
    }
}

#[test]
fn the_guest_tests_compile_with_warnings_and_without() {
    let files = c_files(&driver().join("tools/dvk-tests"));
    for flags in [OLD, STRICT] {
        compile(directory().path(), flags, &files);
    }
}

/// The function that a line of a header declares or defines.
fn function_in(line: &str) -> Option<&str> {
    if line.starts_with([' ', '\t', '/', '*', '#']) {
        return None;
    }
    let name = line.split('(').next()?.split([' ', '*']).next_back()?;
    (line.contains('(') && name.starts_with("dvs_")).then_some(name)
}

#[test]
fn every_function_of_libdvs_has_a_manual_page() {
    let libdvs = driver().join("libdvs");
    let header = fs::read_to_string(libdvs.join("include/dvs.h"))
        .unwrap_or_else(|error| panic!("dvs.h: {error}"));
    let functions: Vec<&str> = header.lines().filter_map(function_in).collect();
    assert!(functions.contains(&"dvs_open") && functions.contains(&"dvs_strerror"));
    for function in functions {
        let page = libdvs.join(format!("man/{function}.3"));
        assert!(page.exists(), "{function} has no {}", page.display());
    }
}
