//! `dvsctl top`: rates of VMs, endpoints and links of one node, again and again.

mod cells;
mod history;
mod rates;
mod sample;
mod screen;
mod view;
mod waits;

use std::io::Write;
use std::path::Path;
use std::thread;

use virtio_dvs::node::client::Client;

use super::args::Top;
use super::run::CtlError;
use super::table;
use history::{History, Picture};
use sample::Sample;

/// Shows what the node tells, on the screen until the user leaves, or once on `out`.
pub(super) fn run(node: &Path, top: &Top, json: bool, out: &mut dyn Write) -> Result<(), CtlError> {
    let client = Client::new(node);
    if !top.once {
        if json {
            return Err(CtlError::Flags("top prints JSON with --once only"));
        }
        return screen::run(client, top);
    }
    let mut history = History::new(top.sort);
    history.add(Sample::take(&client)?);
    // The time between two looks is what is asked for.
    thread::sleep(top.interval);
    let picture = history.add(Sample::take(&client)?);
    if json {
        let value = serde_json::to_value(&picture).map_err(std::io::Error::from)?;
        writeln!(out, "{value:#}")?;
    } else {
        write!(out, "{}", text(&picture))?;
    }
    Ok(())
}

/// The picture as tables for scripts and people.
fn text(picture: &Picture) -> String {
    let mut text = format!("{}\n", cells::headline(picture));
    let mut add = |head: &[&str], rows: Vec<Vec<String>>| {
        if rows.is_empty() {
            return;
        }
        let head = head.iter().map(|it| (*it).to_owned()).collect();
        let lines: Vec<_> = std::iter::once(head).chain(rows).collect();
        text.push('\n');
        text.push_str(&table::align(&lines));
    };
    add(&cells::VM_HEAD, picture.vms.iter().map(cells::vm).collect());
    let endpoints = picture.endpoints.iter().map(cells::endpoint);
    add(&cells::ENDPOINT_HEAD, endpoints.collect());
    add(
        &cells::LINK_HEAD,
        picture.links.iter().map(cells::link).collect(),
    );
    text
}

#[cfg(test)]
#[path = "top_test.rs"]
mod tests;
