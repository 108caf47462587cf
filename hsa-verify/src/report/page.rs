// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An answer as one HTML file that needs nothing else: style, picture and tables are inside.

use super::answer::{Answer, Section};
use super::drawing::draw;
use crate::model::{Network, NoteKind};

const STYLE: &str = "\
:root{--ink:#1f2933;--soft:#52606d;--line:#d9dee4;--good:#1b7f3b;--bad:#b3001b}\
body{font:15px/1.5 system-ui,'Segoe UI','DejaVu Sans',Helvetica,Arial,sans-serif;color:var(--ink);\
max-width:1180px;margin:2rem auto;padding:0 1.2rem}\
h1{font-size:1.5rem;margin:0 0 .2rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}\
.verdict{font-size:1.1rem;padding:.6rem .9rem;border-left:5px solid;background:#f7f9fb}\
.good{border-color:var(--good)}.bad{border-color:var(--bad)}\
.about{color:var(--soft)}table{border-collapse:collapse;width:100%;font-size:.92rem}\
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}\
th{color:var(--soft);font-weight:600}td{overflow-wrap:anywhere}\
pre{background:#f7f9fb;border:1px solid var(--line);padding:.7rem;overflow-x:auto;font-size:.86rem}\
svg{width:100%;height:auto;border:1px solid var(--line)}summary{cursor:pointer;color:var(--soft)}";

/// Text that is safe inside HTML.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// The page of an answer about a network.
pub fn page(network: &Network, name: &str, answer: &Answer) -> String {
    let class = if answer.good { "good" } else { "bad" };
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>{question}: {name}</title><style>{STYLE}</style></head><body>\n\
         <h1>{question}</h1><p class=\"about\">{name}: {boxes} boxes, {ports} ports, {links} links, {rules} rules</p>\n\
         <p class=\"verdict {class}\">{headline}</p>\n",
        question = escape(answer.question),
        name = escape(name),
        boxes = network.devices.len(),
        ports = network.physical_ports().count(),
        links = network.links.len(),
        rules = network.rule_count(),
        headline = escape(&answer.headline),
    );
    if !network.devices.is_empty() {
        html.push_str(&draw(network, &answer.marks));
    }
    for section in &answer.sections {
        push_section(section, &mut html);
    }
    push_notes(network, &mut html);
    html.push_str("</body></html>\n");
    html
}

fn push_section(section: &Section, html: &mut String) {
    match section {
        Section::Table { rows, .. } if rows.is_empty() => {}
        Section::Lines { lines, .. } if lines.is_empty() => {}
        Section::Table { title, head, rows } => {
            html.push_str(&format!("\n<h2>{}</h2><table><thead><tr>", escape(title)));
            for cell in head {
                html.push_str(&format!("<th>{}</th>", escape(cell)));
            }
            html.push_str("</tr></thead><tbody>\n");
            for row in rows {
                html.push_str("<tr>");
                for cell in row {
                    html.push_str(&format!("<td>{}</td>", escape(cell)));
                }
                html.push_str("</tr>\n");
            }
            html.push_str("</tbody></table>\n");
        }
        Section::Lines { title, lines } => {
            html.push_str(&format!("\n<h2>{}</h2><pre>", escape(title)));
            for line in lines {
                html.push_str(&escape(line));
                html.push('\n');
            }
            html.push_str("</pre>\n");
        }
    }
}

/// What the model lacks belongs to every answer.
fn push_notes(network: &Network, html: &mut String) {
    let notes: Vec<_> = network
        .notes
        .iter()
        .filter(|n| n.kind != NoteKind::Ignored)
        .collect();
    if notes.is_empty() {
        return;
    }
    html.push_str(&format!(
        "\n<h2>What the model does not show</h2><details><summary>{} remarks of the reader</summary><ul>\n",
        notes.len()
    ));
    for note in notes {
        html.push_str(&format!("<li>{}</li>\n", escape(&note.text)));
    }
    html.push_str("</ul></details>\n");
}
