// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The program as its users run it: answers, exit codes, wrong input, pictures.

use hsa_verify::generate::campus::Campus;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().expect("a temporary folder"))
    }

    /// A folder with the campus of two buildings in `campus`.
    fn campus() -> Self {
        let folder = Folder::new();
        folder.write_campus("campus", true);
        folder
    }

    fn write_campus(&self, name: &str, faults: bool) {
        for (file, text) in (Campus {
            buildings: 2,
            faults,
        })
        .files()
        {
            self.write(&format!("{name}/{file}"), text.as_bytes());
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hsa-verify"));
        command.args(arguments).current_dir(self.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments)
            .output()
            .expect("the program starts")
    }

    /// Standard output of a question with the expected exit code.
    fn answer(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Standard error of a question that must be refused without any answer.
    fn refusal(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "",
            "no partial answer"
        );
        text
    }
}

#[test]
fn answers_about_the_campus() {
    let folder = Folder::campus();
    folder.write_campus("sound", false);
    insta::assert_snapshot!("show", folder.answer(0, &["show", "campus"]));
    insta::assert_snapshot!("loops", folder.answer(1, &["loops", "campus"]));
    insta::assert_snapshot!("check", folder.answer(1, &["check", "campus/policy.toml"]));
    insta::assert_snapshot!(
        "check_sound",
        folder.answer(0, &["check", "sound/policy.toml"])
    );
    let leak = ["--from", "b02-acc1:gi0/5", "--to", "b01-acc2:gi0/4"];
    let reach = |net: &'static str| [&["reach", net], &leak[..]].concat();
    insta::assert_snapshot!("reach", folder.answer(0, &reach("campus")));
    insta::assert_snapshot!("reach_none", folder.answer(1, &reach("sound")));
    let slices = ["--slice", "staff=vlan=10", "--slice", "guests=vlan=20"];
    let isolation = [&["isolation", "campus"], &slices[..]].concat();
    insta::assert_snapshot!("isolation", folder.answer(1, &isolation));
    let inverse = [
        "inverse",
        "campus",
        "--from",
        "b01-acc1:gi0/5",
        "--to",
        "core1:te2/2",
    ];
    insta::assert_snapshot!("inverse", folder.answer(0, &inverse));
    let diff = ["diff", "campus", "sound", "--from", "b02-acc1:gi0/5"];
    insta::assert_snapshot!("diff", folder.answer(1, &diff));
    let cut = "core1:te1/1 -- b01-dist:te1/1/1";
    let whatif = ["whatif", "sound", "--cut", cut, "--from", "core1:te2/2"];
    insta::assert_snapshot!("whatif", folder.answer(1, &whatif));
}

#[test]
fn waypoints_hold_or_name_who_passes_by() {
    let folder = Folder::campus();
    let ask = |through: &'static str| {
        [
            "waypoint",
            "campus",
            "--from",
            "b01-acc1:gi0/3",
            "--to",
            "core1:te2/2",
            "--through",
            through,
        ]
    };
    folder.answer(0, &ask("core1"));
    let text = folder.answer(1, &ask("core2"));
    assert!(text.contains("b01-acc1:gi0/3"), "{text}");
}

#[test]
fn a_rule_can_be_added_and_removed() {
    let folder = Folder::campus();
    let rule = r#"b02-dist/acl-in/0={"match":{"vlan":"20","tp_dst":"443"},"do":"drop"}"#;
    let from = ["--from", "b02-acc1:gi0/5", "--where", "ip_dst=10.1.10.0/24"];
    let text = folder.answer(
        1,
        &[&["whatif", "campus", "--add", rule], &from[..]].concat(),
    );
    assert!(text.contains("b01-acc1:gi0/3"), "{text}");
    let remove = ["whatif", "campus", "--remove", "core1/fib/0"];
    folder.answer(1, &remove);
    let refused = folder.refusal(&["whatif", "campus", "--remove", "core1/fib/999"]);
    assert!(refused.contains("core1/fib"), "{refused}");
}

#[test]
fn an_export_answers_like_its_origin() {
    let folder = Folder::campus();
    folder.answer(0, &["export", "campus", "-o", "net.json"]);
    assert_eq!(
        folder.answer(1, &["loops", "campus"]),
        folder.answer(1, &["loops", "net.json"])
    );
    let same = folder.answer(0, &["diff", "campus", "net.json", "--from", "b01-acc1"]);
    assert!(same.starts_with("Nothing changes"), "{same}");
    let schema = folder.answer(0, &["export", "--schema"]);
    let schema: serde_json::Value = serde_json::from_str(&schema).expect("JSON");
    assert!(schema["properties"]["boxes"].is_object());
}

#[test]
fn json_carries_exact_counts_and_the_verdict() {
    let folder = Folder::campus();
    let text = folder.answer(1, &["--json", "loops", "campus"]);
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(json["good"], false);
    assert_eq!(json["cycles"].as_array().expect("a list").len(), 1);
    assert_eq!(json["cycles"][0]["infinite"], true);
    let count = json["cycles"][0]["headers"]["count"]
        .as_str()
        .expect("a string");
    // 10.200.0.0/16, any source, protocol, ports and flags, untagged.
    assert_eq!(count, (1u128 << 96).to_string());
}

#[test]
fn pictures_and_pages_stand_alone() {
    let folder = Folder::campus();
    folder.answer(
        1,
        &["loops", "campus", "--svg", "l.svg", "--html", "l.html"],
    );
    let svg = fs::read_to_string(folder.path().join("l.svg")).expect("a picture");
    let mut reader = quick_xml::Reader::from_str(&svg);
    let mut lines = 0;
    loop {
        match reader.read_event().expect("well-formed") {
            quick_xml::events::Event::Eof => break,
            quick_xml::events::Event::Text(t) => lines += usize::from(t.contains("core1")),
            _ => {}
        }
    }
    assert!(lines > 0, "the boxes are named");
    assert!(svg.contains("#d0021b"), "the loop is drawn");
    let html = fs::read_to_string(folder.path().join("l.html")).expect("a page");
    assert!(html.contains("<svg") && html.contains("for ever"));
    for outside in [" src=\"", " href=\"", "@import"] {
        assert!(!html.contains(outside), "{outside}");
    }
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let folder = Folder::campus();
    let mut command = folder.command(&["export", "campus"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut first = [0; 16];
    let mut stdout = child.stdout.take().expect("a pipe");
    stdout.read_exact(&mut first).expect("the first bytes");
    drop(stdout);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn help_man_and_completions_come_from_one_definition() {
    let folder = Folder::new();
    for question in [
        "reach",
        "loops",
        "blackholes",
        "isolation",
        "inverse",
        "whatif",
        "diff",
    ] {
        assert!(folder.answer(0, &["man"]).contains(question), "{question}");
        assert!(
            folder
                .answer(0, &["completions", "bash"])
                .contains(question),
            "{question}"
        );
        assert!(
            folder.answer(0, &[question, "--help"]).contains("--json"),
            "{question}"
        );
    }
    assert!(folder
        .answer(0, &["show", "-", "quirks"])
        .contains("never-back"));
}

#[test]
fn wrong_input_names_file_and_line_and_gives_no_answer() {
    let folder = Folder::campus();
    let config = fs::read_to_string(folder.path().join("campus/core1_config.txt")).expect("text");
    let cef = fs::read_to_string(folder.path().join("campus/core1_route.txt")).expect("text");
    let cases: Vec<(&str, &str, Vec<u8>, &str)> = vec![
        ("cut", "r1_route.txt", cef[..cef.len() - 30].into(), "r1_route.txt:"),
        ("noise", "r1_config.txt", b"hostname r1\n\x00\x01\x02\xff".into(), "r1_config.txt:2"),
        ("entry", "r1_config.txt", config.replace("eq domain", "eq nonsense").into(), "access list 150"),
        ("mask", "r1_config.txt", config.replace("255.255.255.252", "255.0.255.0").into(), "r1_config.txt:"),
        ("twice", "r1_config.txt", format!("{config}interface Loopback0\n").into(), "configured twice"),
        ("banner", "r1_config.txt", "hostname r1\nbanner motd ^C\nhello\n".into(), "cut short"),
        ("unknown", "r1.txt", "what is this\n".into(), "no file of a known kind"),
        ("flow", "s1.flows", " cookie=0x0, priority=1 actions=frob:1\n".into(), "s1.flows:1"),
        ("json", "n.json", b"{\"format\":\"hsa-verify\",\"version\":1,\n\"frob\":1}".into(), "n.json:2"),
        ("version", "n.json", b"{\"format\":\"hsa-verify\",\"version\":9,\"header\":{\"length\":1,\"fields\":[]},\"boxes\":[]}".into(), "version 9"),
        ("tf", "a.tf", "32$a$1$0$0$\n#\nfwd$[100001]$0101$None$None$None$None$[]$#$#$$$a_1$\n".into(), "tf/stages: No such file"),
    ];
    for (name, file, bytes, expected) in cases {
        folder.write(&format!("{name}/{file}"), &bytes);
        let text = folder.refusal(&["loops", name]);
        assert!(text.contains(expected), "{name}: {text}");
    }
    fs::create_dir(folder.path().join("empty")).expect("a folder");
    assert!(folder
        .refusal(&["show", "empty"])
        .contains("empty: no file of a known kind"));
    assert!(folder.refusal(&["show", "absent"]).contains("absent"));
}

#[test]
fn contradictions_between_files_are_refused() {
    let folder = Folder::campus();
    let config = fs::read(folder.path().join("campus/core1_config.txt")).expect("a file");
    folder.write("dup/core1_config.txt", &config);
    folder.write("dup/old/core1_config.txt", &config);
    let text = folder.refusal(&["show", "dup"]);
    assert!(text.contains("box core1: two files of one kind"), "{text}");
    folder.write("mixed/core1_config.txt", &config);
    folder.write("mixed/s1.flows", b" cookie=0x0, priority=1 actions=drop\n");
    let text = folder.refusal(&["show", "mixed"]);
    assert!(text.contains("Cisco IOS and OpenFlow"), "{text}");
    let links = [
        (
            "core1 te2/1 nowhere te1\n",
            "links:1: there is no box nowhere",
        ),
        (
            "# a\ncore1 te9/9 core2 te2/1\n",
            "links:2: box core1 has no port te9/9",
        ),
        (
            "core1 te2/1 core2 te2/1\ncore2 te2/1 core1 te2/1\n",
            "already in line 1",
        ),
        ("core1 te2/1 core1 te2/1\n", "from a port to itself"),
        ("core1 te2/1\n", "links:1: expected"),
    ];
    for (text, expected) in links {
        folder.write("links", text.as_bytes());
        let refused = folder.refusal(&["show", "campus", "--links", "links"]);
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn huge_files_are_refused_without_reading_them() {
    let folder = Folder::campus();
    let huge = fs::File::create(folder.path().join("campus/core1_arp_table.txt")).expect("a file");
    huge.set_len(3 << 30).expect("a sparse file");
    let text = folder.refusal(&["show", "campus"]);
    assert!(
        text.contains("core1_arp_table.txt: 3221225472 bytes"),
        "{text}"
    );
}

#[test]
fn policies_with_mistakes_are_no_violations() {
    let folder = Folder::campus();
    let policy = |body: &str| format!("network = \"campus\"\n{body}");
    let cases = [
        ("", "asserts nothing"),
        ("[[assert]]\nquestion = \"loops\"\nname = \"x\"\nfrob = 1\n", "frob"),
        ("[[assert]]\nquestion = \"reach\"\nname = \"x\"\nfrom = [\"nobody\"]\nto = [\"core1\"]\nexpect = \"none\"\n", "assertion \"x\""),
        ("[[assert]]\nquestion = \"reach\"\nname = \"x\"\nfrom = [\"core1\"]\nto = [\"core1\"]\nwhere = \"frob=1\"\nexpect = \"none\"\n", "frob"),
        ("[[assert]]\nquestion = \"isolation\"\nname = \"x\"\nslices = [\"a=vlan=1\"]\n", "two slices"),
    ];
    for (body, expected) in cases {
        folder.write("p.toml", policy(body).as_bytes());
        let text = folder.refusal(&["check", "p.toml"]);
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn strict_refuses_what_is_not_in_the_model() {
    let folder = Folder::campus();
    folder.answer(0, &["show", "campus", "--strict"]);
    let path = folder.path().join("campus/core1_config.txt");
    let config = fs::read_to_string(&path).expect("a file");
    fs::write(
        &path,
        config.replace("router ospf 1", "frobnicate all\nrouter ospf 1"),
    )
    .expect("written");
    folder.answer(0, &["show", "campus"]);
    let text = folder.refusal(&["show", "campus", "--strict"]);
    assert!(text.contains("frobnicate all"), "{text}");
}
