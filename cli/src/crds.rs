use anyhow::Context;

use crate::args::CrdsArgs;

/// Prints the definitions, or writes one file a kind.
pub(crate) fn run(args: &CrdsArgs) -> anyhow::Result<()> {
    for crd in homeostat_crds::all() {
        let yaml = homeostat_crds::yaml(&crd).context("a definition does not serialise")?;
        match &args.output {
            Some(folder) => {
                let path = folder.join(format!("{}.yaml", crd.spec.names.plural));
                std::fs::write(&path, yaml)
                    .with_context(|| format!("--output: {} cannot be written", path.display()))?;
            }
            None => println!("---\n{}", yaml.trim_end()),
        }
    }
    Ok(())
}
