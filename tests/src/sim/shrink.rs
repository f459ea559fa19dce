//! Leaves parts of a history out as long as it fails.

use super::plan::{Plan, Role, Trouble};
use super::play;

/// Letters of what is wrong that tell one kind of failure from another.
const KIND: usize = 16;

/// The smallest plan found that fails in the same way. Gives the plan itself if it does not fail.
pub fn shrink(plan: &Plan) -> Plan {
    let mut smallest = plan.clone();
    let kind = kind_of_failure(plan);
    loop {
        let better = smaller(&smallest).find(|it| kind.is_some() && kind_of_failure(it) == kind);
        match better {
            Some(plan) => smallest = plan,
            None => return smallest,
        }
    }
}

/// The first words of what is wrong, without numbers.
fn kind_of_failure(plan: &Plan) -> Option<String> {
    let violations = play(plan).violations;
    let letters = violations.first()?.chars().filter(|it| it.is_alphabetic());
    Some(letters.take(KIND).collect())
}

/// Plans with a little less in them, the greatest steps first.
fn smaller(plan: &Plan) -> impl Iterator<Item = Plan> + '_ {
    let without_faults = (0..plan.faults.len()).map(|index| {
        let mut plan = plan.clone();
        plan.faults.remove(index);
        plan
    });
    let without_upsets = (0..plan.faults.len()).filter_map(|index| {
        let mut plan = plan.clone();
        match &mut plan.faults[index].what {
            Trouble::Migrate { upset, .. } => upset.take()?,
            _ => return None,
        };
        Some(plan)
    });
    let fewer_calls = (0..plan.programs.len()).filter_map(|index| {
        let mut plan = plan.clone();
        match &mut plan.programs[index].role {
            Role::Client { calls } if *calls > 0 => *calls /= 2,
            _ => return None,
        }
        Some(plan)
    });
    let idle = (0..plan.programs.len()).filter_map(|index| {
        let mut plan = plan.clone();
        let role = &mut plan.programs[index].role;
        let nothing = Role::Client { calls: 0 };
        (std::mem::replace(role, nothing) != nothing).then_some(plan)
    });
    let simpler = SIMPLER.iter().filter_map(|(is_simple, simplify)| {
        let mut plan = plan.clone();
        (!is_simple(&plan)).then(|| {
            simplify(&mut plan);
            plan
        })
    });
    let fewer_faults = without_faults.chain(without_upsets);
    fewer_faults.chain(idle).chain(fewer_calls).chain(simpler)
}

type Step = (fn(&Plan) -> bool, fn(&mut Plan));

const SIMPLER: &[Step] = &[
    (|it| !it.settings.signals, |it| it.settings.signals = false),
    (|it| !it.settings.nowait, |it| it.settings.nowait = false),
    (
        |it| !it.settings.deadlines,
        |it| it.settings.deadlines = false,
    ),
    (
        |it| it.settings.directory_ns == 0,
        |it| it.settings.directory_ns = 0,
    ),
    (
        |it| it.settings.receive_ring >= 64,
        |it| it.settings.receive_ring = 64,
    ),
    (
        |it| it.settings.transmit_ring >= 64,
        |it| it.settings.transmit_ring = 64,
    ),
];
