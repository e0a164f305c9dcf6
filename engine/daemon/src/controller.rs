//! `rectifier-engine controller`.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use prometheus_client::registry::Registry;
use rectifier_cloud::openstack::{OpenStack, OpenStackConfig};
use rectifier_controller::{Context, Settings};
use rectifier_core::clock::Clock;
use rectifier_policy_host::compile::{CompileLimits, Compiler};
use rectifier_policy_host::{
    Allowed, LimitsChoice, LimitsPatch, Options, Policies, Rollout, Telemetry,
};

use crate::clock::SystemClock;
use crate::telemetry::Server;

/// How it is called.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// This cluster's name: its servers are marked with it
    #[arg(long)]
    cluster: String,
    /// The folder of the policies
    #[arg(long, default_value = "/etc/rectifier/policies")]
    policies: PathBuf,
    /// The folder of what is compiled from them; only this engine may write there
    #[arg(long, default_value = "/var/cache/rectifier")]
    policy_cache: PathBuf,
    /// What each policy may use, where it is not to be the usual: as in a sidecar, e.g. '{milliseconds: 500}'
    #[arg(long, value_name = "YAML", value_parser = limits, default_value = "{}")]
    policy_limits: LimitsPatch,
    /// The most that a policy's sidecar may ask for, e.g. '{memoryMebibytes: 128}'
    #[arg(long, value_name = "YAML", value_parser = limits, default_value = "{}")]
    policy_ceiling: LimitsPatch,
    /// How large a policy's file may be, in MiB
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..=64))]
    policy_module: Option<u32>,
    /// Seconds over which a changed policy comes to enforce: for the first third it only monitors. 0: at once
    #[arg(long, default_value_t = 0)]
    policy_rollout: u32,
    /// The folder in which that is remembered, with the last good versions for a restart; it must outlive the pod, and
    /// only this engine may write there
    #[arg(long)]
    policy_state: Option<PathBuf>,
    #[command(flatten)]
    cloud: OpenStackConfig,
    /// The pod's name: the holder of the Lease
    #[arg(long, env = "POD_NAME")]
    identity: String,
    /// The namespace of the Lease
    #[arg(long, env = "POD_NAMESPACE", default_value = "rectifier-system")]
    namespace: String,
    /// Where /metrics, /healthz and /policies are served
    #[arg(long, env = "RECTIFIER_LISTEN", default_value = "127.0.0.1:20258")]
    listen: SocketAddr,
    /// Seconds between two looks at what the cloud is doing. A server takes tens of seconds to boot
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=60))]
    poll: u64,
    /// So many of the cluster's nodes, in percent and rounded up, are replaced within an hour, whatever the pools say; one
    /// always may be
    #[arg(long, default_value_t = 1, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(1..=1000))]
    hourly_replacements: u32,
}

/// Runs until it is told to stop, or has to end.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let stop = crate::stopped()?;
    let Arguments {
        cluster,
        policies,
        policy_cache,
        policy_limits: usual,
        policy_ceiling: ceiling,
        policy_module: module_mebibytes,
        policy_rollout,
        policy_state,
        cloud,
        identity,
        namespace,
        listen,
        poll,
        hourly_replacements,
    } = arguments;
    let switches = crate::switches::from_environment()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    anyhow::ensure!(
        policy_rollout == 0 || policy_state.is_some(),
        "--policy-rollout needs --policy-state: a folder that outlives the pod"
    );
    // Not the pod's name: another pod of this Deployment goes on where this one was.
    let rollout = policy_state.map(|state| Rollout {
        node: format!("controller of {cluster}"),
        over: Duration::from_secs(policy_rollout.into()),
        state,
        clock: clock.clone(),
    });
    let compiler = Compiler::beside_this_program(CompileLimits::default())?;
    let telemetry = Telemetry::default();
    let own = rectifier_controller::Telemetry::default();
    let register = |registry: &mut Registry| own.register(registry);
    let server = Server::bind(listen, telemetry.clone(), register).await?;
    let choice = LimitsChoice {
        usual,
        ceiling,
        module_mebibytes,
    };
    let (limits, ceiling) = choice.resolve().context("the policies' limits")?;
    let policies = Policies::open(Options {
        directory: policies,
        cache: policy_cache,
        compiler,
        limits,
        ceiling,
        // Units and fixes are the nodes' matter.
        allowed: Allowed::default(),
        telemetry: telemetry.clone(),
        rollout,
    })
    .await?;
    let cloud = OpenStack::new(cloud)?;
    let calls = own.clone();
    let ctx = Context {
        client: rectifier_api::client().await?,
        cloud: Arc::new(cloud.observed(Arc::new(move |call, result| calls.called(call, result)))),
        telemetry: own,
        policies: Arc::new(policies),
        clock,
        entropy: Arc::new(entropy()?),
        switches,
        settings: Settings {
            namespace,
            identity,
            cluster,
            hourly: hourly_replacements,
            poll: Duration::from_secs(poll),
        },
    };
    tokio::select! {
        ended = rectifier_controller::run(ctx) => ended.map_err(Into::into),
        () = stop => {
            tracing::info!("the controller ends");
            Ok(())
        }
        never = server.run() => match never {},
    }
}

fn limits(text: &str) -> Result<LimitsPatch, String> {
    serde_saphyr::from_str(text).map_err(|error| error.without_snippet().to_string())
}

/// The kernel's random numbers. The device is opened once, so that nothing can be missing later.
fn entropy() -> anyhow::Result<impl Fn(&mut [u8]) + Send + Sync> {
    let device = std::fs::File::open("/dev/urandom").context("no /dev/urandom")?;
    Ok(move |buffer: &mut [u8]| {
        #[expect(
            clippy::expect_used,
            reason = "a secret that is not random is worse than an end; the device cannot fail"
        )]
        (&device).read_exact(buffer).expect("/dev/urandom ended")
    })
}
