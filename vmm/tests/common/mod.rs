//! A mini guest of a few instructions that does what a script says: runs on any KVM, also one without vmx and svm.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]
#![allow(dead_code, reason = "no program of tests needs all of it")]

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;

use dvs_vmm::api::config::VmConfig;
use dvs_vmm::api::{ApiError, Request, Response};
use dvs_vmm::control::{Mailbox, Message, Vmm, VmmError};

// Interprets steps of three words at SCRIPT: kind, address or port, value.
std::arch::global_asm!(
    ".globl mini_guest_start, mini_guest_interrupt, mini_guest_end",
    "mini_guest_start:",
    "mov rax, 0x600000",
    "lidt [rax]",
    "mov rsp, 0x700000",
    "mov rbx, 0x300000",
    "2:", // next step
    "mov rax, [rbx]",
    "mov rdx, [rbx + 8]",
    "mov rcx, [rbx + 16]",
    "add rbx, 24",
    "cmp rax, 1",
    "je 3f",
    "cmp rax, 2",
    "je 4f",
    "cmp rax, 3",
    "je 5f",
    "cmp rax, 4",
    "je 6f",
    "cmp rax, 5",
    "je 7f",
    "cmp rax, 6",
    "je 8f",
    "cmp rax, 7",
    "je 9f",
    "cmp rax, 8",
    "je 21f",
    "cmp rax, 9",
    "je 24f",
    "cmp rax, 10",
    "je 28f",
    "12:", // the end of the script
    "hlt",
    "jmp 12b",
    "3:", // out8
    "mov eax, ecx",
    "out dx, al",
    "jmp 2b",
    "4:", // out16
    "mov eax, ecx",
    "out dx, ax",
    "jmp 2b",
    "5:", // out32
    "mov eax, ecx",
    "out dx, eax",
    "jmp 2b",
    "6:", // write8
    "mov [rdx], cl",
    "jmp 2b",
    "7:", // write16
    "mov [rdx], cx",
    "jmp 2b",
    "8:", // write32
    "mov [rdx], ecx",
    "jmp 2b",
    "9:", // wait until the 16 bits at an address are this value, with interrupts on
    "sti",
    "22:",
    "pause",
    "cmp [rdx], cx",
    "jne 22b",
    "cli",
    "jmp 2b",
    "21:", // print this character for ever
    "mov dx, 0x3f8",
    "mov eax, ecx",
    "23:",
    "out dx, al",
    "jmp 23b",
    "24:", // count for ever at an address, and write the number to one of so many pages behind it after the other
    "mov r8, rdx",
    "mov rsi, [r8]",
    "xor r9, r9",
    "sti",
    "25:",
    "inc rsi",
    "inc qword ptr [r8]",
    "cmp [r8], rsi",
    "jne 27f",
    "lea rdi, [rcx - 1]",
    "and rdi, rsi",
    "inc rdi",
    "shl rdi, 12",
    "mov [r8 + rdi], rsi",
    "rdtsc",
    "shl rdx, 32",
    "or rdx, rax",
    "cmp rdx, r9",
    "jb 26f",
    "mov r9, rdx",
    "test rsi, 0x3fff",
    "jnz 25b",
    "mov dx, 0x3f8",
    "mov al, 0x2e",
    "out dx, al",
    "jmp 25b",
    "26:", // the time stamp counter went back
    "mov dx, 0x3f8",
    "mov al, 0x54",
    "out dx, al",
    "jmp 26b",
    "27:", // register and memory differ
    "mov dx, 0x3f8",
    "mov al, 0x58",
    "out dx, al",
    "jmp 27b",
    "28:", // wait until the 16 bits at an address are this value, with interrupts off
    "pause",
    "cmp [rdx], cx",
    "jne 28b",
    "jmp 2b",
    "mini_guest_interrupt:",
    "push rax",
    "mov rax, 0x400000",
    "mov dword ptr [rax], 1",
    "inc qword ptr [rax + 8]",
    "mov rax, 0xfee000b0",
    "mov dword ptr [rax], 0",
    "pop rax",
    "iretq",
    "mini_guest_end:",
);

unsafe extern "C" {
    static mini_guest_start: u8;
    static mini_guest_interrupt: u8;
    static mini_guest_end: u8;
}

const CODE: u64 = 0x20_0000;
const SCRIPT: u64 = 0x30_0000;
/// Becomes 1 with the first interrupt.
pub const INTERRUPTED: u64 = 0x40_0000;
/// Counts the interrupts.
pub const INTERRUPTS: u64 = INTERRUPTED + 8;
const IDT: u64 = 0x50_0000;
const IDT_POINTER: u64 = 0x60_0000;
/// The vector that the guest takes.
pub const VECTOR: u32 = 0x41;

/// One step of the guest.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Write to a port.
    Out8(u64, u64),
    /// Write to a port.
    Out16(u64, u64),
    /// Write to a port.
    Out32(u64, u64),
    /// Write to memory.
    Write8(u64, u64),
    /// Write to memory.
    Write16(u64, u64),
    /// Write to memory.
    Write32(u64, u64),
    /// Wait until memory has this value.
    Wait16(u64, u64),
    /// Print this character for ever.
    PrintForEver(u8),
    /// Count for ever at an address, and write the number to one of so many pages behind it after the other; print a dot
    /// now and then, an X if registers and memory ever differ, and a T if the time stamp counter goes back.
    /// Interrupts are on.
    CountForEver(u64, u64),
    /// Wait until memory has this value, with interrupts off.
    WaitOff16(u64, u64),
}

impl Step {
    fn words(self) -> [u64; 3] {
        match self {
            Self::Out8(port, value) => [1, port, value],
            Self::Out16(port, value) => [2, port, value],
            Self::Out32(port, value) => [3, port, value],
            Self::Write8(address, value) => [4, address, value],
            Self::Write16(address, value) => [5, address, value],
            Self::Write32(address, value) => [6, address, value],
            Self::Wait16(address, value) => [7, address, value],
            Self::PrintForEver(character) => [8, 0, u64::from(character)],
            Self::CountForEver(address, pages) => [9, address, pages],
            Self::WaitOff16(address, value) => [10, address, value],
        }
    }
}

/// Prints `text` on the first serial port.
pub fn print(text: &str) -> Vec<Step> {
    text.bytes()
        .map(|b| Step::Out8(0x3f8, u64::from(b)))
        .collect()
}

/// Has the first serial port interrupt with [`VECTOR`] when there is input: IRQ 4 through the I/O APIC.
pub fn serial_interrupts() -> Vec<Step> {
    let (pin_4, route) = (0x10 + 2 * 4, 0xfec0_0000u64);
    vec![
        Step::Write32(0xfee0_00f0, 0x1ff),
        Step::Write32(route, pin_4 + 1),
        Step::Write32(route + 0x10, 0),
        Step::Write32(route, pin_4),
        Step::Write32(route + 0x10, u64::from(VECTOR)),
        Step::Out8(0x3f9, 1),
    ]
}

/// Powers the machine off.
pub fn power_off() -> Step {
    Step::Out16(0x604, 5 << 10 | 1 << 13)
}

fn code() -> (&'static [u8], u64) {
    let (start, interrupt, end) = (
        &raw const mini_guest_start,
        &raw const mini_guest_interrupt,
        &raw const mini_guest_end,
    );
    let len = end as usize - start as usize;
    // SAFETY: the labels are in this order in one piece of code of this program.
    (
        unsafe { std::slice::from_raw_parts(start, len) },
        interrupt as u64 - start as u64,
    )
}

/// A 64-bit ELF file of these segments, entered at the first.
fn elf(segments: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let data_start = 64 + 56 * segments.len() as u64;
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let half = |file: &mut Vec<u8>, value: u16| file.extend(value.to_le_bytes());
    half(&mut file, 2);
    half(&mut file, 62);
    file.extend(1u32.to_le_bytes());
    for word in [segments[0].0, 64, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend(0u32.to_le_bytes());
    for value in [64, 56, u16::try_from(segments.len()).unwrap(), 0, 0, 0] {
        half(&mut file, value);
    }
    let mut at = data_start;
    for (address, bytes) in segments {
        let len = bytes.len() as u64;
        file.extend(1u32.to_le_bytes());
        file.extend(7u32.to_le_bytes());
        for word in [at, *address, *address, len, len, 4096] {
            file.extend(word.to_le_bytes());
        }
        at += len;
    }
    segments.iter().for_each(|(_, bytes)| file.extend(bytes));
    file
}

/// Writes the mini guest with this script to `folder`; returns its path.
pub fn kernel(folder: &Path, script: &[Step]) -> PathBuf {
    let (code, interrupt) = code();
    // Nobody has set up the 8259 pair, so its lines stay masked.
    let masked = [Step::Out8(0x21, 0xff), Step::Out8(0xa1, 0xff)];
    let script: Vec<u8> = masked
        .iter()
        .chain(script)
        .flat_map(|s| s.words())
        .flat_map(u64::to_le_bytes)
        .collect();
    let handler = CODE + interrupt;
    let mut idt = vec![0; 256 * 16];
    let gate = handler & 0xffff | 0x10 << 16 | 0x8e00 << 32 | (handler >> 16 & 0xffff) << 48;
    idt[VECTOR as usize * 16..][..8].copy_from_slice(&gate.to_le_bytes());
    let pointer = [&0xfffu16.to_le_bytes()[..], &IDT.to_le_bytes()].concat();
    // A step of zeros ends the script.
    let script = [script, vec![0; 24]].concat();
    let segments = [
        (CODE, code.to_vec()),
        (SCRIPT, script),
        (IDT, idt),
        (IDT_POINTER, pointer),
    ];
    let path = folder.join("mini-guest");
    std::fs::write(&path, elf(&segments)).unwrap();
    path
}

/// A VMM on a thread of its own.
#[derive(Debug)]
pub struct Running {
    mailbox: Mailbox,
    thread: JoinHandle<Result<(), VmmError>>,
}

impl Running {
    /// Boots a machine.
    pub fn boot(config: serde_json::Value) -> Self {
        let (ready, started) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut vmm = Vmm::new().unwrap();
            let config = VmConfig::from_json(config.to_string().as_bytes()).unwrap();
            vmm.request(Request::Create(Box::new(config))).unwrap();
            vmm.request(Request::Boot).unwrap();
            ready.send(vmm.mailbox()).unwrap();
            vmm.run()
        });
        Self {
            mailbox: started.recv().unwrap(),
            thread,
        }
    }

    /// A VMM without a machine.
    pub fn empty() -> Self {
        let (ready, started) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let vmm = Vmm::new().unwrap();
            ready.send(vmm.mailbox()).unwrap();
            vmm.run()
        });
        Self {
            mailbox: started.recv().unwrap(),
            thread,
        }
    }

    /// Asks the VMM.
    pub fn ask(&self, request: Request) -> Result<Response, ApiError> {
        let (reply, answer) = mpsc::channel();
        self.mailbox.send(Message::Request(
            Box::new(request),
            Box::new(move |result| reply.send(result).unwrap()),
        ));
        answer.recv().unwrap()
    }

    /// Waits until the VMM ends by itself.
    pub fn end(self) -> Result<(), VmmError> {
        self.thread.join().unwrap()
    }

    /// Ends the VMM as a signal does.
    pub fn stop(self) {
        self.mailbox.send(Message::Signal);
        self.end().unwrap();
    }
}
