//! Compiles the core's C files, the same as the kernel module's.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let sources = core_files(&std::fs::read_to_string("sources.mk")?);
    let mut build = cc::Build::new();
    build
        .files(sources)
        .file("src/shim.c")
        .std("gnu11")
        .flag("-ffreestanding")
        .extra_warnings(true)
        .warnings_into_errors(true);
    if std::env::var_os("CARGO_FEATURE_SANITIZE").is_some() {
        let flags = "-fsanitize=address,undefined";
        build
            .flag(flags)
            .flag("-fno-sanitize-recover=all")
            .flag("-fno-omit-frame-pointer");
        // Libraries, not link arguments: their runtime has to come before the C library.
        let folder = library_folder("libasan.so")?;
        println!("cargo::rustc-link-search=native={folder}");
        println!("cargo::rustc-link-lib=dylib=asan");
        println!("cargo::rustc-link-lib=dylib=ubsan");
    }
    if std::env::var_os("CARGO_FEATURE_COVERAGE").is_some() {
        build.flag("--coverage").opt_level(0);
        let folder = library_folder("libgcov.a")?;
        println!("cargo::rustc-link-search=native={folder}");
        println!("cargo::rustc-link-lib=static=gcov");
    }
    build.compile("dvs_core");
    for path in ["channel", "ipc", "src", "."] {
        println!("cargo::rerun-if-changed={path}");
    }
    Ok(())
}

/// The C files of the list that the kernel's build system reads: every word that names an object.
fn core_files(list: &str) -> Vec<String> {
    list.split_whitespace()
        .filter_map(|word| word.strip_suffix(".o"))
        .map(|name| format!("{name}.c"))
        .collect()
}

/// Where the C compiler keeps this library of its own.
fn library_folder(library: &str) -> Result<String, Box<dyn Error>> {
    let answer = cc::Build::new()
        .get_compiler()
        .to_command()
        .arg(format!("-print-file-name={library}"))
        .output()?;
    let path = String::from_utf8(answer.stdout)?;
    let folder = std::path::Path::new(path.trim()).parent();
    // A compiler that does not have it says just its name.
    match folder {
        Some(folder) if folder.is_absolute() => Ok(folder.display().to_string()),
        _ => Err(format!("the C compiler has no {library}: install its libraries").into()),
    }
}
