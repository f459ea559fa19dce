use super::*;

const OFFERED: u64 = VERSION_1 | 1 << 29;

fn common() -> Common {
    Common::new(OFFERED, &[256, 64], 3)
}

fn accept(common: &mut Common, features: u64) {
    for (select, half) in [(0u32, features & 0xffff_ffff), (1, features >> 32)] {
        common.write(8, &select.to_le_bytes());
        common.write(12, &u32::try_from(half).unwrap().to_le_bytes());
    }
}

fn status(common: &Common) -> u8 {
    let mut byte = [0];
    common.read(0x14, &mut byte);
    byte[0]
}

#[test]
fn a_driver_goes_through_the_states() {
    let mut common = common();
    common.write(0x14, &[3]);
    accept(&mut common, OFFERED);
    assert_eq!(common.write(0x14, &[11]), Action::None);
    assert_eq!(status(&common), 11);
    common.write(0x16, &1u16.to_le_bytes());
    common.write(0x18, &32u16.to_le_bytes());
    common.write(0x1a, &2u16.to_le_bytes());
    common.write(0x20, &0x1000u64.to_le_bytes());
    common.write(0x28, &0x2000u32.to_le_bytes());
    common.write(0x30, &0x3000u64.to_le_bytes());
    common.write(0x1c, &1u16.to_le_bytes());
    assert_eq!(common.write(0x14, &[15]), Action::Activate);
    assert_eq!(common.write(0x14, &[15]), Action::None);
    let queue = common.queues[1];
    assert!(queue.enabled && !common.queues[0].enabled);
    assert_eq!((queue.size, queue.vector), (32, 2));
    assert_eq!(
        (queue.descriptors, queue.available, queue.used),
        (0x1000, 0x2000, 0x3000)
    );
    assert_eq!(common.write(0x14, &[0]), Action::Reset);
}

#[test]
fn features_that_were_not_offered_are_refused() {
    for features in [OFFERED | 1, 1 << 29] {
        let mut common = common();
        accept(&mut common, features);
        common.write(0x14, &[11]);
        assert_eq!(status(&common) & STATUS_FEATURES_OK, 0);
        assert_eq!(common.write(0x14, &[15]), Action::None);
    }
}

#[test]
fn features_do_not_change_after_they_are_agreed_on() {
    let mut common = common();
    accept(&mut common, OFFERED);
    common.write(0x14, &[11]);
    accept(&mut common, 0);
    assert_eq!(common.accepted, OFFERED);
}

#[test]
fn an_enabled_queue_does_not_change() {
    let mut common = common();
    common.write(0x1c, &1u16.to_le_bytes());
    common.write(0x20, &0x9000u64.to_le_bytes());
    common.write(0x1c, &0u16.to_le_bytes());
    assert!(common.queues[0].enabled);
    assert_eq!(common.queues[0].descriptors, 0);
}

#[test]
fn wrong_sizes_and_vectors_are_not_taken() {
    let mut common = common();
    for size in [0u16, 3, 512, 0x8000] {
        common.write(0x18, &size.to_le_bytes());
        assert_eq!(common.queues[0].size, 256);
    }
    common.write(0x1a, &3u16.to_le_bytes());
    assert_eq!(common.queues[0].vector, NO_VECTOR);
    common.write(0x10, &9u16.to_le_bytes());
    assert_eq!(common.config_vector, NO_VECTOR);
}

#[test]
fn selecting_another_queue_takes_nothing_with_it() {
    let mut common = common();
    common.write(0x18, &16u16.to_le_bytes());
    common.write(0x16, &1u16.to_le_bytes());
    assert_eq!((common.queues[0].size, common.queues[1].size), (16, 64));
    common.write(0x16, &7u16.to_le_bytes());
    common.write(0x18, &2u16.to_le_bytes());
    let mut size = [1; 2];
    common.read(0x18, &mut size);
    assert_eq!(size, [0, 0]);
}

#[test]
fn nonsense_is_harmless() {
    let mut common = common();
    for offset in 0..80 {
        for len in [1usize, 2, 3, 4, 8, 64] {
            common.write(offset, &vec![0xa5; len]);
            common.read(offset, &mut vec![0; len]);
        }
    }
    common.read(1 << 40, &mut [0; 8]);
}

#[test]
fn reset_keeps_only_the_generation() {
    let mut common = common();
    common.generation = 7;
    accept(&mut common, OFFERED);
    common.write(0x1c, &1u16.to_le_bytes());
    common.reset();
    assert_eq!(
        (common.accepted, common.status, common.generation),
        (0, 0, 7)
    );
    assert!(!common.queues[0].enabled);
}

#[test]
fn a_state_that_no_driver_can_make_is_refused() {
    let saved = || {
        let mut common = common();
        accept(&mut common, OFFERED);
        common.write(0x14, &[11]);
        common.save()
    };
    let changes: &[fn(&mut CommonState)] = &[
        |state| state.accepted |= 1,
        |state| state.queues.truncate(1),
        |state| state.queues[0].size = 3,
        |state| state.queues[0].size = 512,
        |state| state.queues[0].max = 128,
        |state| state.queues[1].vector = 3,
    ];
    for change in changes {
        let mut state = saved();
        change(&mut state);
        assert!(common().load(state).is_err());
    }
    let mut copy = common();
    copy.load(saved()).unwrap();
    assert_eq!((copy.accepted, status(&copy)), (OFFERED, 11));
    assert!(!copy.is_started());
    copy.status |= STATUS_DRIVER_OK;
    assert!(copy.is_started());
    copy.status |= STATUS_NEEDS_RESET;
    assert!(!copy.is_started());
}
