//! The layout of the workspace: who may import whom, which crate owns which library, and the habits that no lint checks.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use cargo_metadata::{Metadata, MetadataCommand, Package};
use homeostat_tests::workspace;

const CORE: [&str; 6] = ["clock", "quality", "decay", "rollout", "privacy", "curation"];

/// Folder names of the packages that each package may depend on. `*` are all of `core/`.
const IMPORTS: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("quality", &["clock"]),
    ("decay", &["clock", "quality"]),
    // The plan reads the outcomes and the diagnosis that decay's types state.
    ("rollout", &["clock", "quality", "decay"]),
    ("privacy", &["clock", "quality"]),
    ("curation", &["clock", "quality"]),
    ("crds", &[]),
    ("protocol", &[]),
    ("apiserver", &[]),
    ("engine", &[]),
    ("records", &["clock", "quality", "decay"]),
    ("gateway", &["clock", "quality", "privacy"]),
    ("agent", &["*", "protocol", "gateway"]),
    ("web", &["*", "crds", "records"]),
    ("controller", &["*", "crds", "protocol", "records"]),
    ("cli", &["*", "crds", "protocol", "records", "apiserver", "engine", "gateway", "agent", "controller", "web"]),
    (
        "tests",
        &["*", "crds", "protocol", "records", "apiserver", "engine", "gateway", "agent", "controller", "web", "cli"],
    ),
];

/// Libraries that only some packages may depend on directly.
const OWNERS: &[(&str, &[&str])] = &[
    ("kube", &["crds", "controller", "web", "cli", "tests"]),
    ("sqlx", &["records", "apiserver"]),
    ("askama", &["web"]),
    ("askama_web", &["web"]),
    ("nvml-wrapper", &["agent"]),
    ("burn", &["engine"]),
];

/// What would bring a second TLS provider into the binary, which panics at the first TLS client.
const OTHER_TLS: [&str; 6] = ["aws-lc-rs", "aws-lc-sys", "openssl", "openssl-sys", "native-tls", "aws-lc-fips-sys"];

/// `core/` has no I/O and is not async.
const NOT_IN_CORE: [&str; 9] = ["tokio", "futures", "axum", "hyper", "reqwest", "tonic", "tracing", "tempfile", "nix"];

const LONGEST_FILE: usize = 400;

/// Modules that several test programs share, each of which uses a part: `expect` cannot say that.
const MAY_ALLOW: [&str; 1] = ["apiserver/tests/support/mod.rs"];

fn metadata() -> &'static Metadata {
    static METADATA: OnceLock<Metadata> = OnceLock::new();
    METADATA.get_or_init(|| {
        let compiler = Command::new("rustc").arg("-vV").output().unwrap();
        let text = String::from_utf8(compiler.stdout).unwrap();
        let host = text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_string();
        // Without the filter cargo would fetch the libraries of platforms that nobody builds for here.
        let options = ["--locked".to_string(), "--filter-platform".to_string(), host];
        MetadataCommand::new().manifest_path(workspace().join("Cargo.toml")).other_options(options).exec().unwrap()
    })
}

/// Our packages by the name of their folder.
fn ours() -> BTreeMap<String, &'static Package> {
    let folder = |package: &Package| package.manifest_path.parent().unwrap().file_name().unwrap().to_string();
    metadata().workspace_packages().into_iter().map(|package| (folder(package), package)).collect()
}

fn folder_of(dependency: &cargo_metadata::Dependency) -> Option<String> {
    Some(dependency.path.as_ref()?.file_name()?.to_string())
}

#[test]
fn packages_are_named_after_their_folders() {
    for (folder, package) in ours() {
        let expected = if folder == "cli" { "homeostat".to_string() } else { format!("homeostat-{folder}") };
        assert_eq!(package.name.as_str(), expected);
    }
}

#[test]
fn packages_import_only_what_the_design_lets_them() {
    let packages = ours();
    let listed: BTreeSet<&str> = IMPORTS.iter().map(|(folder, _)| *folder).collect();
    assert_eq!(packages.keys().map(String::as_str).collect::<BTreeSet<_>>(), listed, "IMPORTS lists each package once");
    let mut violations = Vec::new();
    for (folder, allowed) in IMPORTS {
        for dependency in packages[*folder].dependencies.iter().filter_map(folder_of) {
            let core = allowed.contains(&"*") && CORE.contains(&dependency.as_str());
            if !core && !allowed.contains(&dependency.as_str()) {
                violations.push(format!("{folder} -> {dependency}"));
            }
        }
    }
    assert_eq!(violations, Vec::<String>::new());
}

#[test]
fn libraries_stay_in_the_packages_that_own_them() {
    let mut violations = Vec::new();
    for (folder, package) in ours() {
        for dependency in &package.dependencies {
            let owners = OWNERS.iter().find(|(name, _)| *name == dependency.name);
            if owners.is_some_and(|(_, owners)| !owners.contains(&folder.as_str())) {
                violations.push(format!("{folder} -> {}", dependency.name));
            }
            if CORE.contains(&folder.as_str()) && NOT_IN_CORE.contains(&dependency.name.as_str()) {
                violations.push(format!("core/{folder} -> {}", dependency.name));
            }
        }
    }
    assert_eq!(violations, Vec::<String>::new());
}

#[test]
fn ring_is_the_only_tls_provider() {
    let nodes = &metadata().resolve.as_ref().unwrap().nodes;
    let used: BTreeSet<_> = nodes.iter().map(|node| &node.id).collect();
    let packages = metadata().packages.iter().filter(|package| used.contains(&package.id));
    let found: Vec<&str> =
        packages.map(|package| package.name.as_str()).filter(|name| OTHER_TLS.contains(name)).collect();
    assert_eq!(found, Vec::<&str>::new(), "`cargo tree -i NAME` says who brings it");
}

#[test]
fn every_package_takes_the_lints_of_the_workspace() {
    for (folder, package) in ours() {
        let manifest = std::fs::read_to_string(&package.manifest_path).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true\n"), "{folder}/Cargo.toml lacks [lints] workspace = true");
        assert_eq!(package.edition, cargo_metadata::Edition::E2024, "{folder}");
    }
}

#[test]
fn files_are_short_and_lints_are_expected_rather_than_allowed() {
    let mut complaints = Vec::new();
    let attribute = ["#[", "#!["].map(|start| format!("{start}allow("));
    for package in ours().values() {
        let folder = package.manifest_path.parent().unwrap();
        for part in ["src", "tests", "benches", "examples", "build.rs"] {
            for file in rust_files(folder.join(part).as_std_path()) {
                let name = file.strip_prefix(workspace()).unwrap().display().to_string();
                let text = std::fs::read_to_string(&file).unwrap();
                let lines = text.lines().count();
                if lines > LONGEST_FILE {
                    complaints.push(format!("{name} has {lines} lines: split it by noun"));
                }
                let allows =
                    text.lines().any(|line| attribute.iter().any(|start| line.trim_start().starts_with(start)));
                if allows && !MAY_ALLOW.contains(&name.as_str()) {
                    complaints.push(format!("{name} allows a lint: use #[expect(..., reason)]"));
                }
            }
        }
    }
    assert_eq!(complaints, Vec::<String>::new());
}

fn rust_files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return if path.extension().is_some_and(|extension| extension == "rs") {
            vec![path.to_path_buf()]
        } else {
            Vec::new()
        };
    }
    let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
    entries.flat_map(|entry| rust_files(&entry.unwrap().path())).collect()
}
