//! `dvs-simulate`: plays random histories of clusters until one is wrong. People use it through
//! `cargo xtask simulate`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use dvs_tests::sim::{Many, Plan, play_traced, shrink};
use indicatif::{ProgressBar, ProgressStyle};

/// How often the bar is drawn.
const TICK: Duration = Duration::from_millis(200);

/// Plays random histories of clusters until one is wrong.
#[derive(Debug, Parser)]
struct Arguments {
    /// So many histories
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The seed of the first one
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Nodes of each cluster, 2 to 12; 1: a host without a cluster; left out: the seed decides
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=12))]
    nodes: Option<u32>,
    /// Machines move while they run
    #[arg(long)]
    moving: bool,
    /// Print only the seed of the first wrong history and what is wrong with it
    #[arg(long)]
    brief: bool,
}

impl Arguments {
    fn plan(&self, seed: u64) -> Plan {
        match self.nodes {
            Some(1) => Plan::new(seed),
            nodes if self.moving => Plan::moving(seed, nodes),
            nodes => Plan::cluster(seed, nodes),
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let last = arguments.first.saturating_add(arguments.seeds - 1);
    let (seeds, many) = (arguments.first..=last, Many::default());
    let bar = bar(arguments.seeds);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                many.play(&seeds, |seed| {
                    bar.set_position(many.played());
                    arguments.plan(seed)
                })
            });
        }
    });
    bar.finish_and_clear();
    let (count, wrong) = many.result();
    let Some((plan, violations)) = wrong else {
        println!("{} histories are right: {count:#?}", arguments.seeds);
        return ExitCode::SUCCESS;
    };
    println!("history {} is wrong:", plan.seed);
    println!("  {}", violations.join("\n  "));
    if !arguments.brief {
        tell(&plan);
    }
    ExitCode::FAILURE
}

fn bar(length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length);
    let template = "{wide_bar} {pos}/{len} histories, {per_sec}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}

/// The smallest history that is wrong too, with what happens in it.
fn tell(plan: &Plan) {
    let small = shrink(plan);
    let history = play_traced(&small);
    println!("{}", history.trace.join("\n"));
    println!("the smallest history that is wrong:\n{small:#?}");
    println!("  {}", history.violations.join("\n  "));
}
