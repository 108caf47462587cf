// SPDX-License-Identifier: GPL-2.0-only
//! What a transport has learnt of its paths, against a memory that forgets nothing by itself.

use eccp_core::address::{Family, IpAddr128, Path};
use eccp_core::learnt::{
    Learnt, PathMemory, Sizes, BELIEVED, INITIAL_WINDOW, NO_THRESHOLD, REMEMBERED,
};
use eccp_core::time::{Duration, Instant};
use proptest::prelude::*;

const AGREED: u32 = 1460;

fn path(number: u8) -> Path {
    Path {
        local: IpAddr128::from_v4([10, 0, 0, number]),
        remote: IpAddr128::from_v4([192, 0, 2, 1]),
        ..Path::NONE
    }
}

fn learnt(window: u32) -> Learnt {
    Learnt {
        window,
        threshold: NO_THRESHOLD,
        srtt: 160_000,
        deviation: 3,
        deviation_max: 4,
        variation: 5,
        segment: AGREED,
        repairing: false,
    }
}

#[test]
fn an_unknown_path_begins_with_the_initial_window() {
    let start = PathMemory::EMPTY.start(Instant(7), &path(1), 500, AGREED);
    assert_eq!(start.learnt.window, INITIAL_WINDOW);
    assert_eq!(start.learnt.threshold, NO_THRESHOLD);
    assert_eq!((start.learnt.srtt, start.learnt.segment), (0, AGREED));
    assert!(!start.lowered);
    assert_eq!(start.again_window, INITIAL_WINDOW);
    let start = PathMemory::EMPTY.start(Instant(7), &path(1), 3, AGREED);
    assert_eq!(start.learnt.window, 3, "a smaller window does not grow");
}

#[test]
fn while_losses_are_repaired_the_threshold_is_what_the_path_carries() {
    let mut memory = PathMemory::EMPTY;
    let repairing = Learnt {
        window: 4,
        threshold: 40,
        repairing: true,
        ..learnt(4)
    };
    memory.remember(Instant(0), &path(1), repairing);
    let start = memory.start(Instant(1), &path(1), 9, AGREED);
    assert_eq!((start.learnt.window, start.again_threshold), (40, 40));
    let unlimited = Learnt {
        threshold: NO_THRESHOLD,
        ..repairing
    };
    memory.remember(Instant(2), &path(1), unlimited);
    assert_eq!(
        memory.start(Instant(3), &path(1), 9, AGREED).learnt.window,
        4
    );
}

#[test]
fn a_lowered_packet_size_is_the_paths() {
    let mut memory = PathMemory::EMPTY;
    let small = Learnt {
        segment: 1240,
        ..learnt(1)
    };
    memory.remember(Instant(0), &path(1), small);
    let back = memory.start(Instant(1), &path(1), 9, AGREED);
    assert_eq!((back.learnt.segment, back.lowered), (1240, true));
    assert_eq!(back.again_window, 2, "one segment alone is no window");
    let other = memory.start(Instant(1), &path(2), 9, AGREED);
    assert_eq!((other.learnt.segment, other.lowered), (AGREED, false));
}

#[test]
fn what_was_not_measured_is_not_remembered() {
    let mut memory = PathMemory::EMPTY;
    memory.remember(Instant(0), &path(1), learnt(50));
    let nothing = Learnt {
        srtt: 0,
        ..learnt(1)
    };
    memory.remember(Instant(1), &path(1), nothing);
    assert_eq!(
        memory.start(Instant(2), &path(1), 9, AGREED).learnt,
        learnt(50)
    );
}

#[test]
fn smaller_packets_are_tried_in_turn_and_no_smaller_than_the_family_allows() {
    let mut sizes = Sizes {
        packet: 1500,
        limit: 1500,
        agreed: 1500,
        route: 1500,
        family: Family::V4,
    };
    let mut tried = Vec::new();
    while let Some(size) = sizes.smaller() {
        tried.push(size);
        (sizes.packet, sizes.limit) = (size, size);
    }
    assert_eq!(tried, [1400, 1280, 576]);
    (sizes.packet, sizes.limit, sizes.family) = (1500, 1350, Family::V6);
    assert_eq!(sizes.smaller(), Some(1280));
    (sizes.packet, sizes.limit) = (1280, 1280);
    assert_eq!(sizes.smaller(), None);
    sizes.packet = 0;
    assert_eq!(sizes.smaller(), None, "nothing was measured yet");
}

#[test]
fn a_larger_size_is_sought_only_between_what_passes_and_what_the_route_carries() {
    let sizes = Sizes {
        packet: 1280,
        limit: 1280,
        agreed: 1500,
        route: 1450,
        family: Family::V4,
    };
    assert_eq!(sizes.search(), Some((1280, 1450)));
    let jumbo = Sizes {
        route: 9000,
        ..sizes
    };
    assert_eq!(jumbo.search(), Some((1280, 1500)));
    let no_route = Sizes { route: 0, ..sizes };
    assert_eq!(no_route.search(), None);
    let whole = Sizes {
        limit: 1450,
        ..sizes
    };
    assert_eq!(whole.search(), None);
}

/// The last visit of each path, newest first: the naive memory.
#[derive(Default)]
struct Diary(Vec<(u8, Instant, u32)>);

impl Diary {
    fn leave(&mut self, number: u8, at: Instant, window: u32) {
        self.0.retain(|(known, ..)| *known != number);
        self.0.insert(0, (number, at, window));
        self.0.truncate(REMEMBERED);
    }

    fn window(&self, number: u8, at: Instant) -> Option<u32> {
        let visit = self.0.iter().find(|(known, ..)| *known == number)?;
        (at.since(visit.1) < BELIEVED).then_some(visit.2)
    }
}

proptest! {
    #[test]
    fn the_memory_is_that_of_the_last_four_paths(
        visits in prop::collection::vec((0u8..7, 1u64..40_000_000, 1u32..1000), 1..60),
    ) {
        let (mut memory, mut diary, mut now) = (PathMemory::EMPTY, Diary::default(), Instant(0));
        for (number, pause, window) in visits {
            now = now.after(Duration(pause));
            memory.remember(now, &path(number), learnt(window));
            diary.leave(number, now, window);
            for other in 0..7 {
                let start = memory.start(now, &path(other), INITIAL_WINDOW, AGREED);
                match diary.window(other, now) {
                    Some(window) => {
                        prop_assert_eq!(start.learnt, learnt(window));
                        prop_assert_eq!(start.again_window, window.max(2));
                    }
                    None => {
                        prop_assert_eq!(start.learnt.srtt, 0);
                        prop_assert_eq!(start.again_window, INITIAL_WINDOW);
                    }
                }
            }
        }
    }
}
