// SPDX-License-Identifier: GPL-2.0-only
//! The small parts against naive models of them.

use std::collections::VecDeque;

use eccp_core::address::{Family, IpAddr128};
use eccp_core::limit::TokenBucket;
use eccp_core::queue::Queue;
use eccp_core::settings::{MAX_RETRY, MIN_RETRY};
use eccp_core::sim::SimHost;
use eccp_core::time::{Duration, Instant};
use eccp_core::timer::{Retry, Rtt};
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_queue_is_first_in_first_out(steps in vec(proptest::option::of(any::<u8>()), 0..200)) {
        let mut queue = Queue::<u8, 5>::EMPTY;
        let mut model = VecDeque::new();
        for step in steps {
            match step {
                Some(item) => {
                    let fits = model.len() < 5;
                    prop_assert_eq!(queue.push(item), fits);
                    if fits {
                        model.push_back(item);
                    }
                }
                None => prop_assert_eq!(queue.pop(), model.pop_front()),
            }
            prop_assert_eq!(queue.len(), model.len());
            prop_assert_eq!(queue.is_empty(), model.is_empty());
        }
    }

    #[test]
    fn a_token_bucket_never_gives_more_than_a_second_and_the_time_that_passed(
        rate in 1u32..1000, gaps in vec(0u64..100_000, 1..300)
    ) {
        let start = Instant(5_000_000);
        let mut bucket = TokenBucket::new(rate, start);
        let (mut now, mut given) = (start, 0u64);
        for gap in gaps {
            now = now.after(Duration(gap));
            given += u64::from(bucket.take(now));
            let allowed = u64::from(rate) + now.since(start).0 * u64::from(rate) / 1_000_000;
            prop_assert!(given <= allowed);
        }
        // After a whole second it is full again.
        now = now.after(Duration::from_secs(1));
        for _ in 0..rate {
            prop_assert!(bucket.take(now));
        }
        prop_assert!(!bucket.take(now));
    }

    #[test]
    fn a_smoothed_round_trip_lies_among_its_samples(samples in vec(1_000u64..3_000_000, 1..50)) {
        let mut rtt = Rtt::UNKNOWN;
        for sample in &samples {
            rtt.sample(Duration(*sample));
        }
        let smoothed = rtt.smoothed().expect("measured").0;
        let (least, most) = (samples.iter().min(), samples.iter().max());
        // Each step rounds down twice, by less than a microsecond.
        prop_assert!(Some(&(smoothed + 16)) >= least && Some(&smoothed) <= most);
        prop_assert!(rtt.retry() >= MIN_RETRY && rtt.retry() <= MAX_RETRY);
    }

    #[test]
    fn gaps_between_tries_double_up_to_the_limit(seed: u64, first in 50_000u64..2_000_000) {
        let mut host = SimHost::new(seed, Instant(0));
        let mut retry = Retry::starting(Instant(0));
        let mut expected = first;
        for _ in 0..12 {
            let now = retry.next.expect("running");
            prop_assert!(retry.is_due(now));
            retry.tried(now, Duration(first), &mut host);
            let gap = retry.next.expect("running").since(now).0;
            prop_assert!(gap <= expected && gap >= expected - expected / 8);
            expected = (expected * 2).min(MAX_RETRY.0);
        }
        retry.stop();
        prop_assert!(!retry.is_due(Instant(u64::MAX)));
    }

    #[test]
    fn addresses_agree_with_the_standard_library(raw: [u8; 16], v4: [u8; 4], as_v4: bool) {
        let addr = if as_v4 { IpAddr128::from_v4(v4) } else { IpAddr128(raw) };
        let model = std::net::Ipv6Addr::from(addr.0);
        match model.to_ipv4_mapped() {
            Some(model) => {
                prop_assert_eq!(addr.family(), Family::V4);
                prop_assert_eq!(addr.as_v4(), Some(model.octets()));
                prop_assert_eq!(addr.is_loopback(), model.is_loopback());
                prop_assert_eq!(addr.is_link_local(), model.is_link_local());
                prop_assert_eq!(addr.is_unspecified(), model.is_unspecified());
                prop_assert_eq!(addr.is_multicast(), model.is_multicast() || model.is_broadcast());
                prop_assert_eq!(addr.to_string(), model.to_string());
            }
            None => {
                prop_assert_eq!(addr.family(), Family::V6);
                prop_assert_eq!(addr.is_loopback(), model.is_loopback());
                prop_assert_eq!(addr.is_link_local(), model.is_unicast_link_local());
                prop_assert_eq!(addr.is_unspecified(), model.is_unspecified());
                prop_assert_eq!(addr.is_multicast(), model.is_multicast());
                prop_assert_eq!(addr.to_string(), model.to_string());
            }
        }
    }
}

#[test]
fn a_round_trip_is_measured_on_a_single_try_only() {
    let mut host = SimHost::new(1, Instant(0));
    let mut retry = Retry::starting(Instant(0));
    let gap = Duration::from_millis(250);
    assert_eq!(retry.measured(Instant(9)), None);
    retry.tried(Instant(0), gap, &mut host);
    assert_eq!(retry.measured(Instant(9)), Some(Duration(9)));
    retry.tried(Instant(300_000), gap, &mut host);
    assert_eq!(retry.measured(Instant(300_009)), None);
}
