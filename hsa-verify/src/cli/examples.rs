// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Examples of every question, shown below its help.

/// Of `reach`.
pub const REACH: &str = "\
Examples:
  hsa-verify reach net --from acc1:gi0/5 --to acc2:gi0/4
  hsa-verify reach net --from acc1:gi0/5 --to srv --where 'ip_proto=6 tp_dst=22' --svg way.svg
  hsa-verify reach net --from acc1            where do packets of its edge ports get to?

Exit code 1: no packet gets there.";

/// Of `loops`.
pub const LOOPS: &str = "\
Examples:
  hsa-verify loops net --html loops.html
  hsa-verify loops raw --links cables.txt --quirks hassel

Exit code 1: there is a loop.";

/// Of `blackholes`.
pub const BLACKHOLES: &str = "\
Examples:
  hsa-verify blackholes net
  hsa-verify blackholes net --all --where ip_dst=10.1.0.0/16

Exit code 1: packets end because no rule matches them.";

/// Of `isolation`.
pub const ISOLATION: &str = "\
Examples:
  hsa-verify isolation net --slice staff=vlan=10 --slice guests=vlan=20
  hsa-verify isolation net --slice a@acc1:gi0/1=ip_dst=10.1.0.0/16 --slice b=ip_dst=10.2.0.0/16

Exit code 1: definitions overlap, or packets of one slice turn up in another.";

/// Of `inverse`.
pub const INVERSE: &str = "\
Examples:
  hsa-verify inverse net --to srv:gi0/1
  hsa-verify inverse net --from acc1:gi0/5 --to srv:gi0/1 --where tp_dst=22

Exit code 1: none can.";

/// Of `whatif`.
pub const WHATIF: &str = "\
Examples:
  hsa-verify whatif net --cut 'core1:te2/1 -- core2:te2/1'
  hsa-verify whatif net --remove dist/acl-in/3 --from acc1:gi0/5
  hsa-verify whatif net --add 'core1/fib/0={\"match\":{\"ip_dst\":\"10.9.0.0/16\"},\"do\":\"drop\"}'

Exit code 1: answers change.";

/// Of `diff`.
pub const DIFF: &str = "\
Examples:
  hsa-verify diff monday tuesday
  hsa-verify diff monday tuesday --where ip_proto=6 --json

Exit code 1: answers differ.";

/// Of `waypoint`.
pub const WAYPOINT: &str = "\
Examples:
  hsa-verify waypoint net --from acc1,acc2 --to border:te1/1 --through fw1,fw2

Exit code 1: something passes by.";

/// Of `show`.
pub const SHOW: &str = "\
Examples:
  hsa-verify show net                   statistics and header fields
  hsa-verify show net core1             a box: ports, tables, links
  hsa-verify show net core1/fib         the rules of a table
  hsa-verify show net core1/fib/12      a rule: what it matches and does, where it was read
  hsa-verify show net notes             what the readers did not understand or assumed";

/// Of `check`.
pub const CHECK: &str = "\
Example of a policy:
  network = \"net\"
  [[assert]]
  question = \"reach\"
  name = \"guests cannot open connections to staff\"
  from = [\"acc1:gi0/5\"]
  to = [\"acc2:gi0/3\"]
  where = \"vlan=0 ip_dst=10.0.10.0/24\"
  expect = \"none\"

Questions: reach, loops, blackholes, isolation, waypoint.
Exit code 1: an assertion is violated; 2: one cannot be checked.";

/// Of `export`.
pub const EXPORT: &str = "\
Examples:
  hsa-verify export net -o net.json     then: hsa-verify loops net.json
  hsa-verify export --schema";
