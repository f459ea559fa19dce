//! `dvs-vmm`: runs one virtual machine.

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use dvs_vmm::api::Request;
use dvs_vmm::api::flags::Flags;
use dvs_vmm::api::rest::Server;
use dvs_vmm::control::Vmm;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use virtio_dvs::socket::Listener;

fn main() -> ExitCode {
    let flags = Flags::parse();
    let level = LevelFilter::from_level(flags.log_level);
    let filter = EnvFilter::default().add_directive(level.into());
    flags.program.start_logs(filter);
    match run(&flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dvs-vmm: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(flags: &Flags) -> anyhow::Result<()> {
    if let Some(document) = flags.program.print {
        document.print(&mut Flags::command(), &mut io::stdout())?;
        return Ok(());
    }
    let config = flags.vm_config()?;
    if config.is_none() && flags.api_socket.is_none() {
        anyhow::bail!(
            "nothing to do: give --kernel or --config to boot a machine, or --api-socket to wait for one"
        );
    }
    // Signals are blocked here, so this comes before any other thread.
    let mut vmm = Vmm::new()?;
    let server = match &flags.api_socket {
        Some(path) => Some(Server::start(Listener::bind(path)?, vmm.mailbox())?),
        None => None,
    };
    if let Some(config) = config {
        vmm.request(Request::Create(Box::new(config)))?;
        vmm.request(Request::Boot)?;
    }
    let result = vmm.run();
    drop(server);
    Ok(result?)
}
