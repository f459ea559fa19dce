//! What goes from one switch to another beside the frames of guests.

/// By which placement of its source and its destination a frame goes from node to node. The
/// receiving node compares them with what it knows: who goes by an old placement is told so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Epoch of the source's VM.
    pub src_epoch: u32,
    /// Epoch of the destination's VM.
    pub dst_epoch: u32,
}

/// What one switch tells another. Of VMs it is believed only if they live at the node that says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Sending to this VM works again; 0 stands for all VMs of the node.
    Retry {
        /// The VM.
        vm: u32,
    },
    /// A life is over.
    Gone {
        /// The VM.
        vm: u32,
        /// Which of its lives.
        incarnation: u32,
    },
    /// A frame came for a VM that is not here in that epoch: look it up again.
    Moved {
        /// The VM.
        vm: u32,
        /// The epoch by which it was sent.
        epoch: u32,
    },
    /// Whether the directory answers the node that says this.
    Directory {
        /// It does.
        answers: bool,
    },
}
