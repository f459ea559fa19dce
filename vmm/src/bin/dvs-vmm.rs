//! `dvs-vmm`: runs one virtual machine.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use clap::{CommandFactory, Parser};
use dvs_vmm::api::Request;
use dvs_vmm::api::flags::Flags;
use dvs_vmm::api::rest::Server;
use dvs_vmm::control::{Monitor, Vmm};
use dvs_vmm::migration::request::ReceiveMigration;
use dvs_vmm::migration::serve::serve;
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

/// Waits for a machine from another host.
fn expect(
    vmm: &mut Vmm,
    request: ReceiveMigration,
    flags: &Flags,
    server: Arc<Mutex<Option<Server>>>,
) -> anyhow::Result<()> {
    let (mailbox, directory) = (vmm.mailbox(), flags.incoming.api_dir.clone());
    let arrived = move |vm: u32| {
        if let Some(directory) = &directory {
            let path = directory.join(format!("vm-{vm}.sock"));
            let listening = Listener::bind(&path).map_err(|error| error.to_string());
            let start = |it| Server::start(it, mailbox).map_err(|error| error.to_string());
            match listening.and_then(start) {
                Ok(started) => {
                    let mut server = server.lock().unwrap_or_else(PoisonError::into_inner);
                    *server = Some(started);
                }
                Err(error) => tracing::error!(?path, "the machine has no REST API: {error}"),
            }
        }
        say(&format!("VM {vm} runs here"));
    };
    let url = vmm.expect_machine(request, arrived)?;
    say(&url);
    Ok(())
}

/// Tells whoever has started this program; it may have left.
fn say(text: &str) {
    let mut out = io::stdout();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

fn run(flags: &Flags) -> anyhow::Result<()> {
    if let Some(document) = flags.program.print {
        document.print(&mut Flags::command(), &mut io::stdout())?;
        return Ok(());
    }
    let receive = flags.receive_migration()?;
    if let (Some(request), Some(url)) = (&receive, &flags.incoming.serve_migrations) {
        return Ok(serve(request, url, flags)?);
    }
    let config = if receive.is_some() {
        None
    } else {
        flags.vm_config()?
    };
    if config.is_none() && receive.is_none() && flags.api_socket.is_none() {
        anyhow::bail!(
            "nothing to do: give --kernel or --config to boot a machine, --receive-migration to take one from another host, or --api-socket to wait for requests"
        );
    }
    // Signals are blocked here, so this comes before any other thread.
    let mut vmm = Vmm::new()?;
    if let Some(path) = flags.event_path()? {
        let monitor = Monitor::open(&path);
        vmm.watch(monitor.with_context(|| format!("events cannot be written to {path:?}"))?);
    }
    let server = match &flags.api_socket {
        Some(path) => Some(Server::start(Listener::bind(path)?, vmm.mailbox())?),
        None => None,
    };
    if let Some(config) = config {
        vmm.request(Request::Create(Box::new(config)))?;
        vmm.request(Request::Boot)?;
    }
    // The API of a machine that is yet to come.
    let late = Arc::new(Mutex::new(None));
    if let Some(request) = receive {
        expect(&mut vmm, request, flags, late.clone())?;
    }
    let result = vmm.run();
    drop((server, late));
    Ok(result?)
}
