// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! Entry of the program.

fn main() -> std::process::ExitCode {
    eccp_tool::main()
}
