//! Fetches the third-party front-end files that `package-lock.json` pins and lays them into `OUT_DIR/vendor`, from where
//! `src/assets.rs` embeds them. Nothing is written into the source tree, and no package's own script is run.

use std::path::{Path, PathBuf};
use std::process::Command;

/// (file in node_modules, its name in OUT_DIR/vendor)
const FILES: &[(&str, &str)] = &[
    ("htmx.org/dist/htmx.min.js", "htmx.js"),
    ("htmx-ext-sse/dist/sse.min.js", "sse.js"),
    ("uplot/dist/uPlot.iife.min.js", "uplot.js"),
    ("uplot/dist/uPlot.min.css", "uplot.css"),
];

const NEEDED: &str = "Node.js >= 20 with npm is needed to build the dashboard: install it, then build again";

fn main() {
    for file in ["build.rs", "package.json", "package-lock.json"] {
        println!("cargo::rerun-if-changed={file}");
    }
    if let Err(problem) = fetch() {
        println!("cargo::error={}", problem.replace('\n', " "));
        std::process::exit(1);
    }
}

fn fetch() -> Result<(), String> {
    let source = folder("CARGO_MANIFEST_DIR")?;
    let out = folder("OUT_DIR")?;
    check_node()?;
    let work = out.join("npm");
    std::fs::create_dir_all(&work).map_err(|error| format!("cannot create {}: {error}", work.display()))?;
    for file in ["package.json", "package-lock.json"] {
        copy(&source.join(file), &work.join(file))?;
    }
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let output = Command::new(npm)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"])
        .current_dir(&work)
        .output()
        .map_err(|error| format!("{NEEDED} (npm could not be started: {error})"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "npm ci could not fetch the dashboard's front-end files; it needs a package registry or a filled npm cache: {}",
            text.trim()
        ));
    }
    let vendor = out.join("vendor");
    std::fs::create_dir_all(&vendor).map_err(|error| format!("cannot create {}: {error}", vendor.display()))?;
    for (from, to) in FILES {
        copy(&work.join("node_modules").join(from), &vendor.join(to))?;
    }
    Ok(())
}

fn check_node() -> Result<(), String> {
    let output = Command::new("node")
        .arg("--version")
        .output()
        .map_err(|error| format!("{NEEDED} (node could not be started: {error})"))?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_string();
    let major = version.trim_start_matches('v').split('.').next().and_then(|text| text.parse::<u32>().ok());
    match major {
        Some(major) if major >= 20 => Ok(()),
        _ => Err(format!("{NEEDED} (found node {version:?})")),
    }
}

fn folder(name: &str) -> Result<PathBuf, String> {
    std::env::var_os(name).map(PathBuf::from).ok_or_else(|| format!("{name} is not set: build with cargo"))
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    std::fs::copy(from, to)
        .map(drop)
        .map_err(|error| format!("cannot copy {} to {}: {error}", from.display(), to.display()))
}
