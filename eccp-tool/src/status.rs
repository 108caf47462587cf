// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! The bare command: what is going on, at a glance.

use eccp_netlink::stats::{Counter, StatsAttribute};
use eccp_netlink::Client;
use serde::Serialize;

use crate::failure::Failure;
use crate::flow::{warn_if_torn, FlowView};
use crate::info::InfoView;
use crate::output::{Output, Show};

/// The state of the namespace.
#[derive(Debug, Serialize)]
struct Status {
    info: InfoView,
    flows: Vec<FlowView>,
    dropped: u64,
}

impl Show for Status {
    fn text(&self) -> String {
        let mut lines = vec![self.info.headline()];
        lines.extend(self.flows.iter().map(Show::text));
        if self.dropped > 0 {
            let dropped = self.dropped;
            lines.push(format!(
                "{dropped} packets dropped: \"eccp-tool stats -z -e\" says why"
            ));
        }
        lines.join("\n")
    }
}

/// Runs the command.
pub fn run(output: &mut Output) -> Result<(), Failure> {
    let mut client = Client::open()?;
    let info = client.info()?;
    let dump = client.flows()?;
    warn_if_torn(&dump);
    let status = Status {
        info: InfoView::new(&info),
        flows: dump.items.iter().map(FlowView::new).collect(),
        dropped: dropped(&client.stats()?),
    };
    Ok(output.one(&status)?)
}

fn dropped(stats: &[StatsAttribute]) -> u64 {
    let count = |attribute: &StatsAttribute| match attribute {
        StatsAttribute::Counter(counter, value) if is_drop(*counter) => *value,
        _ => 0,
    };
    stats.iter().map(count).fold(0, u64::wrapping_add)
}

fn is_drop(counter: Counter) -> bool {
    counter.name().is_some_and(|name| name.starts_with("drop-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use eccp_netlink::info::Info;

    #[test]
    fn drops_are_added_up_and_other_counters_are_not() {
        let stats = [
            StatsAttribute::Counter(Counter::Connects, 100),
            StatsAttribute::Counter(Counter::DropBadMac, 2),
            StatsAttribute::Counter(Counter::DropNoListener, 3),
        ];
        assert_eq!(dropped(&stats), 5);
    }

    #[test]
    fn the_status_is_a_headline_flows_and_drops() {
        let status = Status {
            info: InfoView::new(&Info::default()),
            flows: vec![FlowView::with_names(&FlowView::sample(), |_| {
                "wlan0".into()
            })],
            dropped: 5,
        };
        insta::assert_snapshot!(status.text(), @r#"
        eccp ?: ? connections, ? flows, family ?, protocol ?, UDP port ?
        a1b2c3d4e5f60718 established active 192.0.2.7 -> 198.51.100.1 dev wlan0 native rtt 12.3ms
            peer 000000000000000f connection 0000000000000077 service 5000 mtu 1500 uid 1000
            moves 4 (last: address-lost) versions 3/1 rx 1.4MiB in 1234 packets tx 4.0KiB in 99 packets
        5 packets dropped: "eccp-tool stats -z -e" says why
        "#);
    }
}
