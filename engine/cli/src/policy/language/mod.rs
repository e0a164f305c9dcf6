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

/// The language of a source, by which it is known how it is compiled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Language {
    /// A component; needs Rust
    #[default]
    Rust,
    /// A WASI command; needs Go
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

    /// The bytes of what was compiled. The compilers speak on standard error as they are used to.
    ///
    /// # Errors
    /// A toolchain is missing (it says which, and how to get it), or the source does not compile.
    pub(crate) fn compile(self, folder: &Path) -> anyhow::Result<Vec<u8>> {
        match self {
            Language::Rust => rust::compile(folder),
            Language::Go => go::compile(folder),
            Language::Python => python::compile(folder),
            Language::JavaScript | Language::TypeScript => javascript::compile(folder),
            Language::C => c::compile(folder),
            Language::Zig => zig::compile(folder),
            Language::AssemblyScript => assemblyscript::compile(folder),
        }
    }
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
