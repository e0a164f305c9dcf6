//! A policy's source: what language it is in, how it is compiled, and what must be installed for that.

mod assemblyscript;
mod c;
mod component;
mod go;
mod javascript;
mod python;
mod rust;
mod toolchain;
mod zig;

use std::path::Path;

pub(crate) use toolchain::PythonTool;

use crate::verdict::usage;

/// The language of a source, by which it is known how it is compiled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Language {
    /// A component; needs Rust
    #[default]
    Rust,
    /// A WASI command, or a component; needs Go
    Go,
    /// A component; needs Python
    Python,
    /// A component; needs Node.js
    #[value(name = "javascript", alias = "js")]
    JavaScript,
    /// A component; needs Node.js
    #[value(name = "typescript", alias = "ts")]
    TypeScript,
    /// A component; needs Python, which fetches the compiler
    C,
    /// A WASI command; needs Python, which fetches the compiler
    Zig,
    /// A WASI command; needs Node.js
    #[value(name = "assemblyscript", alias = "as")]
    AssemblyScript,
}

/// What a source becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Form {
    /// It is asked by typed values
    Component,
    /// A module that speaks JSON on its standard input and output
    Command,
}

impl Language {
    /// By which file a source in this language is known. What is asked first comes first: several have a `package.json`.
    const MANIFESTS: [(&str, Language); 8] = [
        ("Cargo.toml", Language::Rust),
        ("go.mod", Language::Go),
        ("pyproject.toml", Language::Python),
        ("asconfig.json", Language::AssemblyScript),
        ("tsconfig.json", Language::TypeScript),
        ("package.json", Language::JavaScript),
        ("build.zig", Language::Zig),
        ("policy.c", Language::C),
    ];

    /// Of the source in this folder.
    pub(crate) fn of(folder: &Path) -> Option<Self> {
        Self::MANIFESTS
            .into_iter()
            .find_map(|(file, language)| folder.join(file).is_file().then_some(language))
    }

    /// The names of the manifests, for people.
    pub(crate) fn manifests() -> String {
        Self::MANIFESTS.map(|(file, _)| file).join(", ")
    }

    /// Its folder of `sdk/`.
    pub(crate) const fn sdk(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::Go => "go",
            Language::Python => "python",
            Language::JavaScript | Language::TypeScript => "javascript",
            Language::C => "c",
            Language::Zig => "zig",
            Language::AssemblyScript => "assemblyscript",
        }
    }

    /// What it becomes; the first, unless another is asked for.
    const fn forms(self) -> &'static [Form] {
        match self {
            Language::Go => &[Form::Command, Form::Component],
            Language::Zig | Language::AssemblyScript => &[Form::Command],
            Language::Rust
            | Language::Python
            | Language::JavaScript
            | Language::TypeScript
            | Language::C => &[Form::Component],
        }
    }

    /// The bytes of what was compiled. The compilers speak on standard error as they are used to.
    ///
    /// # Errors
    /// It becomes no such form; a toolchain is missing (it says which, and how to get it), or the source does not compile.
    pub(crate) fn compile(self, folder: &Path, form: Option<Form>) -> anyhow::Result<Vec<u8>> {
        let form = form.unwrap_or(self.forms()[0]);
        if !self.forms().contains(&form) {
            return Err(usage(format!(
                "what is in {} becomes no {}: leave --form away",
                folder.display(),
                name(form),
            )));
        }
        match self {
            Language::Rust => rust::compile(folder),
            Language::Go => go::compile(folder, form),
            Language::Python => python::compile(folder),
            Language::JavaScript | Language::TypeScript => javascript::compile(folder),
            Language::C => c::compile(folder),
            Language::Zig => zig::compile(folder),
            Language::AssemblyScript => assemblyscript::compile(folder),
        }
    }
}

/// A value as it is written on the command line.
fn name(value: impl clap::ValueEnum) -> String {
    let value = value.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_known_by_its_manifest() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Language::of(folder.path()), None);
        for (file, language) in [
            ("package.json", Language::JavaScript),
            ("tsconfig.json", Language::TypeScript),
            ("asconfig.json", Language::AssemblyScript),
            ("go.mod", Language::Go),
        ] {
            std::fs::write(folder.path().join(file), "").unwrap();
            assert_eq!(Language::of(folder.path()), Some(language));
        }
    }
}
