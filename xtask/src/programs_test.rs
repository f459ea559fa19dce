use super::*;

#[test]
fn libraries_of_a_listing() {
    let listing = "\tlinux-vdso.so.1 (0x00007ffd)\n\
        \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f1)\n\
        \t/lib64/ld-linux-x86-64.so.2 (0x00007f2)\n";
    assert_eq!(
        libraries_in(listing),
        [
            "/lib/x86_64-linux-gnu/libc.so.6",
            "/lib64/ld-linux-x86-64.so.2"
        ]
    );
    assert!(libraries_in("\tstatically linked\n").is_empty());
}
