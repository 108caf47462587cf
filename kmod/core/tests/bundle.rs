// SPDX-License-Identifier: GPL-2.0-only
//! Bundles: every byte arrives once and in order, whatever becomes of the members.

mod stream;

use std::collections::BTreeSet;

use eccp_core::bundle::{
    Place, Receiver, Record, Scheduler, Sender, Violation, HEADER_LEN, MAX_OUTSTANDING, MAX_RECORD,
};
use eccp_core::time::Duration;
use proptest::collection::vec;
use proptest::prelude::*;
use stream::World;

/// Sends both streams to their ends with members that come and go; the seed says how.
fn run(seed: u64, scheduler: Scheduler) {
    let ring = [5_000, 70_000, 300_000][(seed % 3) as usize];
    let mut world = World::new(seed, scheduler, ring);
    let total = [world.rng.below(900_000), world.rng.below(300_000)];
    for _ in 0..1 + world.rng.below(3) {
        let room = 100 + world.rng.below(120_000) as usize;
        world.connect(room);
    }
    for step in 0.. {
        assert!(step < 200_000, "seed {seed}: no end after {step} turns");
        world.now = world.now.after(Duration(world.rng.below(5_000)));
        for (at, total) in total.into_iter().enumerate() {
            world.give(at, total);
            if world.ends[at].bundle.sender.given() == total {
                world.ends[at].bundle.sender.end();
            }
            world
                .turn(at)
                .unwrap_or_else(|e| panic!("seed {seed}: {e:?}"));
            let most = world.rng.below(60_000);
            world.consume(at, most);
        }
        if world.rng.chance(15) && world.pipes.len() > 1 {
            let at = world.rng.below(world.pipes.len() as u64) as usize;
            let kept = world.rng.below(100_000) as usize;
            world.cut(at, kept).expect("no violation");
        }
        if world.rng.chance(15) && world.pipes.len() < 4 {
            let room = 1 + world.rng.below(120_000) as usize;
            world.connect(room);
        }
        if world.rng.chance(30) {
            let at = world.rng.below(world.pipes.len() as u64) as usize;
            let (end, sound) = (world.rng.below(2) as usize, world.rng.chance(600));
            let index = world.pipes[at].index[end];
            world.ends[end].bundle.set_sound(index, sound);
        }
        let done = |end: usize| {
            let bundle = &world.ends[end].bundle;
            bundle.sender.is_done() && bundle.receiver.is_complete()
        };
        if done(0) && done(1) && (0..2).all(|at| world.ends[at].read == total[1 - at]) {
            return;
        }
    }
}

#[test]
fn members_come_and_go_and_no_byte_is_lost() {
    for seed in 0..150 {
        run(seed, Scheduler::LowestRtt);
    }
}

#[test]
fn copies_on_all_members_are_one_stream() {
    for seed in 0..100 {
        run(1000 + seed, Scheduler::Redundant);
    }
}

/// The only member goes with everything on its way, and another one comes.
#[test]
fn a_bundle_without_members_goes_on_with_the_next() {
    for kept in [0, 1, HEADER_LEN - 1, HEADER_LEN, HEADER_LEN + 1, 40_000] {
        let mut world = World::new(kept as u64, Scheduler::LowestRtt, 200_000);
        world.connect(100_000);
        // Each learns of the other's room.
        for at in [0, 1, 0] {
            world.turn(at).expect("no violation");
        }
        world.give(0, 150_000);
        world.ends[0].bundle.sender.end();
        world.turn(0).expect("no violation");
        world.cut(0, kept).expect("no violation");
        world.connect(100_000);
        for _ in 0..1000 {
            world.now = world.now.after(Duration::from_millis(5));
            for at in 0..2 {
                world.turn(at).expect("no violation");
                world.consume(at, u64::MAX);
            }
        }
        assert_eq!(world.ends[1].read, 150_000, "kept {kept}");
        assert!(world.ends[0].bundle.sender.is_done(), "kept {kept}");
    }
}

#[test]
fn the_member_with_the_lowest_round_trip_time_is_taken_while_it_has_room() {
    let mut bundle = stream::opened(Scheduler::LowestRtt, 1 << 20);
    let (slow, fast) = (bundle.add_member().unwrap(), bundle.add_member().unwrap());
    let header = Record {
        window: 1 << 20,
        ..Record::default()
    };
    bundle.took_header(slow, &header.to_bytes()).unwrap();
    bundle.sender.give(3 * MAX_RECORD as u64);
    let now = eccp_core::time::Instant(0);
    let mut room = [None; 8];
    room[usize::from(slow)] = Some(Duration(90));
    room[usize::from(fast)] = Some(Duration(10));
    assert_eq!(bundle.poll(now, &room), Some(fast));
    // It has its record still.
    assert_eq!(bundle.poll(now, &room), Some(slow));
    assert_eq!(bundle.poll(now, &room), None);
    bundle.wrote(fast, HEADER_LEN + MAX_RECORD);
    // A path that does not answer gets nothing while another does, and the other gets its record.
    bundle.set_sound(fast, false);
    bundle.wrote(slow, HEADER_LEN + MAX_RECORD);
    assert_eq!(bundle.poll(now, &room), Some(slow));
    assert_eq!(bundle.piece(slow).unwrap().dsn, 0);
}

#[test]
fn a_peer_that_breaks_the_rules_is_found_out() {
    let record = |dsn, len, fin| Record {
        dsn,
        len,
        fin,
        ..Record::default()
    };
    let give = |records: &[Record]| {
        let mut bundle = stream::opened(Scheduler::LowestRtt, 100_000);
        let member = bundle.add_member().unwrap();
        records.iter().try_for_each(|record| {
            bundle.took_header(member, &record.to_bytes())?;
            bundle.took(member, usize::from(record.len))
        })
    };
    let most = MAX_RECORD as u16;
    assert_eq!(give(&[record(0, most + 1, false)]), Err(Violation::Length));
    assert_eq!(give(&[record(99_000, 1001, false)]), Err(Violation::Window));
    assert_eq!(give(&[record(u64::MAX, 9, false)]), Err(Violation::Window));
    let lie = Record {
        dack: 1,
        ..record(0, 0, false)
    };
    assert_eq!(give(&[lie]), Err(Violation::Acknowledgement));
    let ends = [record(0, 10, true), record(0, 11, true)];
    assert_eq!(give(&ends), Err(Violation::Window));
    assert_eq!(
        give(&[record(5, 5, false), record(0, 9, true)]),
        Err(Violation::End)
    );
    let apart: Vec<_> = (1..400).map(|n| record(n * 2, 1, false)).collect();
    assert_eq!(give(&apart), Err(Violation::Outstanding));
    assert_eq!(give(&apart[..MAX_OUTSTANDING]), Ok(()));
}

proptest! {
    #[test]
    fn the_receiver_knows_what_a_set_of_numbers_knows(
        pieces in vec((0u64..300, 1u64..40), 0..80),
        reads in vec(0u64..60, 0..80),
    ) {
        let mut receiver = Receiver::new(200);
        let mut known = BTreeSet::new();
        let mut read = 0;
        for ((dsn, len), take) in pieces.into_iter().zip(reads.into_iter().chain(std::iter::repeat(0))) {
            let fits = dsn + len <= read + 200;
            let next = (0u64..).find(|n| !known.contains(n)).unwrap();
            prop_assert_eq!(receiver.readable(), (read, next - read));
            match receiver.place(dsn, len) {
                Err(Violation::Window) => prop_assert!(!fits),
                Ok(Place::Known(n)) => prop_assert!(fits && n == len.min(next - dsn)),
                Ok(Place::New(n)) => {
                    prop_assert!(fits && n == len && dsn >= next);
                    receiver.store(dsn, len).unwrap();
                    known.extend(dsn..dsn + len);
                }
                other => prop_assert!(false, "{:?}", other),
            }
            let next = (0u64..).find(|n| !known.contains(n)).unwrap();
            read = next.min(read + take);
            receiver.consume(take);
            prop_assert_eq!(receiver.dack(), next);
        }
    }

    #[test]
    fn every_number_is_in_exactly_one_record(
        steps in vec((0u64..90_000, 0u64..90_000, 0u8..3), 1..60),
    ) {
        let mut sender = Sender::EMPTY;
        let (mut given, mut cut, mut limit, mut acked) = (0, 0, 0, 0);
        for (more, window, to) in steps {
            sender.give(more);
            given += more;
            limit = limit.max(acked + window);
            sender.acknowledged(acked, window as u32).unwrap();
            while let Some(record) = sender.take(to, 0b111, false) {
                prop_assert_eq!(record.dsn, cut);
                cut = record.end();
                prop_assert!(cut <= given && cut <= limit && record.len > 0);
            }
            acked += (cut - acked) / 2;
        }
        sender.acknowledged(cut, 0).unwrap();
        prop_assert_eq!(sender.kept(), given - cut);
        prop_assert_eq!(sender.acknowledged(cut + 1, 0), Err(Violation::Acknowledgement));
    }

    #[test]
    fn no_bytes_make_a_bundle_panic(bytes in vec(any::<u8>(), 0..2000), giving in 0u64..100_000) {
        let mut bundle = stream::opened(Scheduler::LowestRtt, 65_536);
        let member = bundle.add_member().unwrap();
        bundle.sender.give(giving);
        let mut rest = &bytes[..];
        while let Ok(want) = bundle.want(member) {
            use eccp_core::bundle::Want;
            let (Want::Header(n) | Want::Known(n) | Want::Data { len: n, .. }) = want;
            let n = n.min(rest.len());
            let (head, tail) = rest.split_at(n);
            rest = tail;
            let result = match want {
                Want::Header(_) => bundle.took_header(member, head),
                _ => bundle.took(member, n),
            };
            let room = [Some(Duration(1)); 8];
            while let Some(to) = bundle.poll(eccp_core::time::Instant(0), &room) {
                let piece = bundle.piece(to).unwrap();
                let whole = piece.header.len() + piece.len;
                bundle.wrote(to, whole);
            }
            if n == 0 || result.is_err() {
                break;
            }
        }
    }

    #[test]
    fn a_header_is_read_as_it_was_written(
        dsn: u64, dack: u64, window: u32, len in 0u16..=MAX_RECORD as u16, fin: bool,
    ) {
        let record = Record { dsn, dack, window, len, fin };
        prop_assert_eq!(Record::parse(&record.to_bytes()), Ok(record));
    }
}
