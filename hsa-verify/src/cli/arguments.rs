// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Arguments: help, man page and completions come from here.

use super::examples;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

const AFTER: &str = "\
NETWORK is a file or folder; what it holds is found out from the contents:
  Cisco IOS     show running-config, ip cef or ip route, arp, mac address-table,
                spanning-tree, vlan, access-lists, interfaces, cdp or lldp
                neighbors detail (one file each, or terminal logs)
  Junos         show route forwarding-table, show interfaces (XML or JSON),
                show route | display json, configuration (set lines or braces)
  OpenFlow      ovs-ofctl dump-flows and dump-groups, one file a switch each
  Hassel        .tf files with topology.tf and port_map
  NetPlumber    JSON tables with topology
  hsa-verify    JSON as `export` writes it (`export --schema` prints the schema)

Ports are written box:port; `show NETWORK BOX` lists them. Headers are written by field:
  ip_dst=10.0.0.0/8 tp_dst=80|443 !vlan=3     all of these (`show NETWORK` lists fields)
  ip_src=10.1.0.0/16 or ip_src=10.2.0.0/16    one of these
  tp_dst=1024..65535  ip_dst=10.0.10.0&0xff00ff00

To try it: hsa-verify generate campus net; hsa-verify loops net --html loops.html

Exit codes:
  0  the good answer: it gets there, no loop, no leak, nothing changed, policy holds
  1  the other answer
  2  the input or the arguments are wrong; there is no answer";

/// Exact answers about what a network does with packets: who can talk to whom and with which
/// packets, loops, black holes, leaks between slices, and what a change would do.
#[derive(Debug, Parser)]
#[command(name = "hsa-verify", version, after_help = AFTER, infer_subcommands = true)]
pub struct Arguments {
    /// Options of every question.
    #[command(flatten)]
    pub common: Common,
    /// The question.
    #[command(subcommand)]
    pub question: Question,
}

/// Options of every question.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every question")]
pub struct Common {
    /// Print JSON instead of text
    #[arg(long, short = 'j', global = true)]
    pub json: bool,
    /// Draw the network with the answer in it
    #[arg(long, value_name = "FILE", global = true)]
    pub svg: Option<PathBuf>,
    /// Write the answer as one self-contained HTML file
    #[arg(long, value_name = "FILE", global = true)]
    pub html: Option<PathBuf>,
    /// File with links, one a line: `boxA portA boxB portB` (can be repeated)
    #[arg(long, value_name = "FILE", global = true)]
    pub links: Vec<PathBuf>,
    /// Refuse a network if a line was not understood or is not modelled
    #[arg(long, global = true)]
    pub strict: bool,
    /// Deviations of the Cisco and Junos readers: names with commas, or `hassel` for all
    /// (`show NETWORK quirks` explains them)
    #[arg(
        long,
        value_name = "NAMES",
        default_value = "",
        global = true,
        hide_default_value = true
    )]
    pub quirks: String,
    /// Use another VLAN on the sub-interfaces of a box
    #[arg(long, value_name = "BOX:OLD=NEW", global = true)]
    pub replace_vlan: Vec<String>,
    /// Hassel files: apply the mask of `fwd` rules, which Hassel ignores
    #[arg(long, global = true)]
    pub fwd_masks: bool,
    /// NetPlumber files: the first rule of a file wins, not the last
    #[arg(long, global = true)]
    pub first_rule_wins: bool,
    /// Disjoint cubes to print of a header set
    #[arg(long, value_name = "N", default_value_t = 6, global = true)]
    pub cubes: usize,
    /// No progress, no remarks of the readers
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// Where a question starts and ends.
#[derive(Debug, Args)]
pub struct Route {
    /// Ports where packets enter: box:port, or a box for all its edge ports
    #[arg(long, value_name = "PORT", value_delimiter = ',', required = true)]
    pub from: Vec<String>,
    /// Ports by which they leave
    #[arg(long, value_name = "PORT", value_delimiter = ',', required = true)]
    pub to: Vec<String>,
    /// Headers on entering; all if left out
    #[arg(long = "where", value_name = "HEADERS")]
    pub headers: Option<String>,
}

/// The questions.
#[derive(Debug, Subcommand)]
pub enum Question {
    /// Which packets get from A to B, by which paths? Prints the header set, a packet, and its
    /// way hop by hop with the rule and file line that decided
    #[command(after_help = examples::REACH)]
    Reach {
        /// Network
        network: PathBuf,
        /// Ports where packets enter: box:port, or a box for all its edge ports
        #[arg(long, value_name = "PORT", value_delimiter = ',', required = true)]
        from: Vec<String>,
        /// Ports by which they leave; every port that is reached if left out
        #[arg(long, value_name = "PORT", value_delimiter = ',')]
        to: Vec<String>,
        /// Headers on entering; all if left out
        #[arg(long = "where", value_name = "HEADERS")]
        headers: Option<String>,
        /// Paths to list
        #[arg(long, value_name = "N", default_value_t = 3)]
        paths: usize,
    },
    /// Can packets go round? For ever, or a limited number of times?
    #[command(after_help = examples::LOOPS)]
    Loops {
        /// Network
        network: PathBuf,
    },
    /// Where do packets end inside the network, and which rule ends them?
    #[command(after_help = examples::BLACKHOLES)]
    Blackholes {
        /// Network
        network: PathBuf,
        /// Ports where packets enter; all edge ports if left out
        #[arg(long, value_name = "PORT", value_delimiter = ',')]
        from: Vec<String>,
        /// Headers on entering; all if left out
        #[arg(long = "where", value_name = "HEADERS")]
        headers: Option<String>,
        /// List access lists, null routes and deliveries too, not only missing rules
        #[arg(long)]
        all: bool,
    },
    /// Are slices disjoint, and do their packets stay inside?
    #[command(after_help = examples::ISOLATION)]
    Isolation {
        /// Network
        network: PathBuf,
        /// A slice: NAME=HEADERS, or NAME@PORT,PORT=HEADERS for headers at those ports
        #[arg(long, value_name = "SLICE", required = true)]
        slice: Vec<String>,
    },
    /// Which packets at A can reach B?
    #[command(after_help = examples::INVERSE)]
    Inverse {
        /// Network
        network: PathBuf,
        /// Ports where packets enter; all edge ports if left out
        #[arg(long, value_name = "PORT", value_delimiter = ',')]
        from: Vec<String>,
        /// Ports by which they leave
        #[arg(long, value_name = "PORT", value_delimiter = ',', required = true)]
        to: Vec<String>,
        /// Headers on leaving; all if left out
        #[arg(long = "where", value_name = "HEADERS")]
        headers: Option<String>,
    },
    /// What would a change of rules or links do?
    #[command(after_help = examples::WHATIF)]
    Whatif {
        /// Network
        network: PathBuf,
        /// Cut a cable: "boxA:portA -- boxB:portB", or "->" for one direction
        #[arg(long, value_name = "LINK")]
        cut: Vec<String>,
        /// Add a cable
        #[arg(long, value_name = "LINK")]
        connect: Vec<String>,
        /// Remove a rule: box/table/number as `reach` prints it
        #[arg(long, value_name = "RULE")]
        remove: Vec<String>,
        /// Add a rule before another: box/table/number=JSON
        #[arg(long, value_name = "RULE=JSON")]
        add: Vec<String>,
        /// Exchange a rule: box/table/number=JSON
        #[arg(long, value_name = "RULE=JSON")]
        replace: Vec<String>,
        /// Ports where packets enter; all edge ports if left out
        #[arg(long, value_name = "PORT", value_delimiter = ',')]
        from: Vec<String>,
        /// Headers on entering; all if left out
        #[arg(long = "where", value_name = "HEADERS")]
        headers: Option<String>,
    },
    /// What differs between two snapshots?
    #[command(after_help = examples::DIFF)]
    Diff {
        /// Network before
        before: PathBuf,
        /// Network after
        after: PathBuf,
        /// Ports where packets enter; all edge ports if left out
        #[arg(long, value_name = "PORT", value_delimiter = ',')]
        from: Vec<String>,
        /// Headers on entering; all if left out
        #[arg(long = "where", value_name = "HEADERS")]
        headers: Option<String>,
    },
    /// Does everything from A to B pass a box?
    #[command(after_help = examples::WAYPOINT)]
    Waypoint {
        /// Network
        network: PathBuf,
        /// Where packets go
        #[command(flatten)]
        route: Route,
        /// Boxes of which one has to be passed
        #[arg(long, value_name = "BOX", value_delimiter = ',', required = true)]
        through: Vec<String>,
    },
    /// What is in a network: statistics, a box, a rule, VLANs, remarks of the readers, quirks
    #[command(after_help = examples::SHOW)]
    Show {
        /// Network
        network: PathBuf,
        /// Nothing for statistics; a box; box/table; box/table/number; vlans; notes; quirks
        what: Option<String>,
    },
    /// Does a network keep a policy? Made for CI: exit code 1 names every violation
    #[command(after_help = examples::CHECK)]
    Check {
        /// Policy file (TOML)
        policy: PathBuf,
    },
    /// Write a network as JSON that every question reads
    #[command(after_help = examples::EXPORT)]
    Export {
        /// Network
        #[arg(required_unless_present = "schema")]
        network: Option<PathBuf>,
        /// File to write; standard output if left out
        #[arg(long, short)]
        output: Option<PathBuf>,
        /// Print the JSON schema of the format
        #[arg(long)]
        schema: bool,
    },
    /// Make example networks
    Generate {
        /// Which
        #[command(subcommand)]
        what: Generated,
    },
    /// Print completions for a shell
    Completions {
        /// Shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// Example networks.
#[derive(Debug, Subcommand)]
pub enum Generated {
    /// A campus of Cisco routers and switches with VLANs, access lists, a planted loop and a
    /// planted leak; the folder gets configurations, show output, links and a policy
    Campus {
        /// Folder to make
        folder: PathBuf,
        /// Buildings, each with a distribution router and two access switches
        #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(2..=60))]
        buildings: u8,
        /// Leave out the loop and the leak
        #[arg(long)]
        sound: bool,
    },
}
