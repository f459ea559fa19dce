//! Power: ACPI fixed hardware (PM1 event and control blocks, reset register) and the keyboard controller's reset.

mod device;

pub use device::{I8042, PowerControl, SciLine};

/// Offset of the PM1 event block: status, then enable, two bytes each (ACPI 6.5, section 4.8.3.1).
pub const PM1_EVENT: u64 = 0;
/// Offset of the PM1 control register (ACPI 6.5, section 4.8.3.2).
pub const PM1_CONTROL: u64 = 4;
/// Offset of the reset register (ACPI 6.5, section 4.8.3.6).
pub const RESET: u64 = 8;
/// What the guest writes to the reset register.
pub const RESET_VALUE: u8 = 1;
/// Sleep type that means power off (S5), as the DSDT tells the guest.
pub const SLEEP_TYPE_OFF: u8 = 5;
