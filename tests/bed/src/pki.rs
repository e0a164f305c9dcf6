//! One certificate authority for a bed, and whoever it vouches for. EC keys, which take
//! milliseconds.

use std::path::Path;

use anyhow::{Context, Result, bail};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};

/// An authority, whose key never leaves the bed's folder.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key, both PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// The private key (PKCS #8).
    pub key: String,
}

impl Authority {
    /// Makes an authority that calls itself `name`.
    ///
    /// # Errors
    /// If the computer has no randomness to give.
    pub fn new(name: &str) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyCertSign,
        ];
        Ok(Self {
            issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)?,
        })
    }

    /// Its certificate and key, for a program that signs with it.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity {
            certificate: self.certificate(),
            key: self.issuer.key().serialize_pem(),
        }
    }

    /// Its certificate, PEM.
    #[must_use]
    pub fn certificate(&self) -> String {
        self.issuer.pem()
    }

    /// A client certificate as Kubernetes reads it: the common name is the user, each organisation
    /// a group.
    ///
    /// # Errors
    /// If there are more than two groups: what makes the certificates knows two names for an
    /// organisation, not three.
    pub fn client(&self, user: &str, groups: &[&str]) -> Result<Identity> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, user);
        // a name of either kind is the same attribute in the certificate, and each kind is there
        // once
        let kinds = [DnType::OrganizationName, DnType::from_oid(&[2, 5, 4, 10])];
        if groups.len() > kinds.len() {
            bail!(
                "{user} cannot have {} groups, but {}",
                groups.len(),
                kinds.len()
            );
        }
        for (kind, group) in kinds.into_iter().zip(groups) {
            params.distinguished_name.push(kind, *group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    /// A server certificate for these host names and addresses.
    ///
    /// # Errors
    /// If one of them is neither.
    pub fn server(&self, names: &[&str]) -> Result<Identity> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "server");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params)
    }

    fn sign(&self, mut params: CertificateParams) -> Result<Identity> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Identity {
            certificate,
            key: key.serialize_pem(),
        })
    }
}

impl Identity {
    /// Writes `DIR/NAME.crt` and `DIR/NAME.key`.
    ///
    /// # Errors
    /// If `dir` cannot be written.
    pub fn write(&self, dir: &Path, name: &str) -> Result<()> {
        for (ending, text) in [("crt", &self.certificate), ("key", &self.key)] {
            let file = dir.join(format!("{name}.{ending}"));
            std::fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
        }
        Ok(())
    }
}
