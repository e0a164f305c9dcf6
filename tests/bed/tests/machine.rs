//! A machine is a node: it joins, runs pods, reboots, dies, and comes back. Needs root.

mod victim;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{ListParams, LogParams};
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt};
use rectifier_bed::kubernetes::{Kubernetes, Options, node::condition};
use rectifier_bed::machine::{Furnish, Machine};
use rectifier_bed::network::Network;
use rectifier_bed::{Bed, Timeline};
use rectifier_provision::{Image, Stderr};
use victim::Victim;

fn furnish(bed: &Bed, host: u8) -> Result<Furnish> {
    let (cache, mut report) = (bed.cache(), Stderr::default());
    let [a, b, c, _] = bed.network()?.machines().0.octets();
    Ok(Furnish {
        root: cache.node_root(&mut report)?,
        programs: cache.go_programs(&mut report)?,
        images: vec![cache.image(Image::Pause, &mut report)?],
        address: [a, b, c, host].into(),
        files: Vec::new(),
    })
}

fn ready(node: &Node) -> bool {
    condition(node, "Ready") == Some("True")
}

fn boot_id(node: &Node) -> Option<&str> {
    Some(node.status.as_ref()?.node_info.as_ref()?.boot_id.as_str())
}

/// One pod on every node, which waits for its end.
const DAEMONS: &str = "
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: waits}
spec:
  selector: {matchLabels: {app: waits}}
  template:
    metadata: {labels: {app: waits}}
    spec:
      hostNetwork: true
      tolerations: [{operator: Exists}]
      containers:
      - name: waits
        image: localhost/pause:1
        imagePullPolicy: Never
        resources: {limits: {memory: 32Mi, cpu: 100m}}
        securityContext:
          readOnlyRootFilesystem: true
          allowPrivilegeEscalation: false
          capabilities: {drop: [ALL]}
          seccompProfile: {type: RuntimeDefault}
";

#[tokio::test]
async fn a_machine_goes_off_with_its_beds_owner() -> Result<()> {
    if victim::is_played() {
        let bed = Bed::new("machine-victim")?;
        Machine::boot(&bed.machine("orphan"), furnish(&bed, 200)?).await?;
        return victim::done(bed.dir()).await;
    }
    let victim = Victim::start("a_machine_goes_off_with_its_beds_owner")?;
    let machine = Machine::open(&victim.bed.join("machines/orphan"))?;
    assert!(machine.is_on());
    let cgroups = std::fs::read_to_string(machine.dir().join("cgroups"))?;
    let bridge = Network::of(&victim.bed)?.bridge().to_owned();
    let bridge = Path::new("/sys/class/net").join(bridge);
    assert!(bridge.exists());

    let dir = victim.kill()?;
    machine.off().await?;
    let _bed = Bed::new("machine-next")?;
    assert!(!dir.exists() && !bridge.exists());
    assert!(
        cgroups.lines().all(|group| !Path::new(group).exists()),
        "{cgroups}"
    );
    Ok(())
}

#[tokio::test]
async fn a_machine_joins_runs_pods_reboots_dies_and_comes_back() -> Result<()> {
    let bed = Bed::new("machine")?;
    let mut timeline = Timeline::start();
    let first = furnish(&bed, 200)?;
    timeline.step("made what machines are made of");
    let kubernetes = Kubernetes::start(&bed, Options::with_machines()).await?;
    timeline.step("control plane");

    let token = kubernetes.bootstrap_token(Duration::from_secs(600)).await?;
    let bootstrap = kubernetes.bootstrap_kubeconfig(&token);
    let arguments =
        "KUBELET_EXTRA_ARGS=--node-labels=pool=a --register-with-taints=new=yes:NoSchedule\n";
    let first = first
        .file("/etc/kubernetes/bootstrap-kubelet.conf", bootstrap.as_str())
        .file("/etc/default/kubelet", arguments)
        .file(
            "/etc/default/instance",
            "INSTANCE_ARGS=--provider-id=openstack:///one\n",
        );
    let machine = Machine::boot(&bed.machine("web-1"), first).await?;
    timeline.step("booted");
    let node = kubernetes.node("web-1", ready).await?;
    timeline.step("Ready");
    let spec = node.spec.as_ref().context("a node without spec")?;
    assert_eq!(spec.provider_id.as_deref(), Some("openstack:///one"));
    assert_eq!(node.labels().get("pool").map(String::as_str), Some("a"));
    assert_eq!(
        spec.taints
            .as_ref()
            .and_then(|taints| Some(taints.first()?.key.as_str())),
        Some("new")
    );
    let addresses = node
        .status
        .as_ref()
        .and_then(|status| status.addresses.as_ref());
    let internal = addresses.and_then(|all| all.iter().find(|one| one.type_ == "InternalIP"));
    assert_eq!(
        internal.map(|one| one.address.as_str()),
        Some(machine.address())
    );
    let joined = kubernetes
        .audit()
        .wait_for(|record| record.verb == "create" && record.object.resource == "nodes")
        .await?;
    assert_eq!(joined.user, "system:node:web-1", "it joined as itself");

    kubernetes.apply(DAEMONS).await?;
    let pod = pod_on(&kubernetes, "web-1").await?;
    timeline.step("a DaemonSet's pod runs");
    let pods: Api<Pod> = Api::default_namespaced(kubernetes.admin());
    pods.logs(&pod.name_any(), &LogParams::default())
        .await
        .context("its log")?;
    timeline.step("its log is read through the API server");

    machine
        .start_unit(
            "victim.service",
            "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n",
        )
        .await?;
    let id = machine.boot_id()?;
    assert_eq!(boot_id(&node), Some(id.as_str()));
    machine.exec(["systemctl", "reboot"]).await?;
    let node = kubernetes
        .node("web-1", |node| boot_id(node) != Some(&id))
        .await?;
    assert_eq!(boot_id(&node), Some(machine.boot_id()?.as_str()));
    timeline.step("rebooted: another boot id in its Node");
    let machine = Machine::open(machine.dir())?;
    let journal = machine.journal("victim.service").await?;
    assert!(journal.contains("Started victim.service"), "{journal}");

    // a second one beside it, with the same fixed ports
    let second = furnish(&bed, 201)?.file("/etc/kubernetes/bootstrap-kubelet.conf", bootstrap);
    let second = Machine::boot(&bed.machine("web-2"), second).await?;
    kubernetes.node("web-2", ready).await?;
    pod_on(&kubernetes, "web-2").await?;
    timeline.step("a second machine booted, Ready, its pod runs");
    let npd = bed
        .cache()
        .image(Image::NodeProblemDetector, &mut Stderr::default())?;
    timeline.step("made NPD's image");
    second.import_image(&npd).await?;
    timeline.step("NPD's image imported");
    let reach = format!("exec 3<> /dev/tcp/{}/443", bed.network()?.gateway());
    let reach = ["timeout", "3", "bash", "-c", &reach];
    second.exec(reach).await?;
    second.connected(false)?;
    assert!(second.exec(reach).await.is_err(), "it is cut off");
    second.connected(true)?;
    // its own tables may remember for a moment that nobody answered
    while second.exec(reach).await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    timeline.step("the second is cut off, and connected again");
    second.shutdown().await?;
    assert!(!second.is_on());
    timeline.step("the second is shut down");

    machine.kill().await?;
    timeline.step("the plug is pulled");
    kubernetes
        .node("web-1", |node| condition(node, "Ready") == Some("Unknown"))
        .await?;
    timeline.step("its Node is Unknown");
    machine.power_on().await?;
    timeline.step("booted again");
    kubernetes.node("web-1", ready).await?;
    timeline.step("Ready again");
    drop(kubernetes);
    drop(bed);
    timeline.step("all ended");
    assert!(!machine.is_on());
    Ok(())
}

async fn pod_on(kubernetes: &Kubernetes, node: &str) -> Result<Pod> {
    let pods: Api<Pod> = Api::default_namespaced(kubernetes.admin());
    let on_node = ListParams::default().fields(&format!("spec.nodeName={node}"));
    let pod = loop {
        if let Some(pod) = pods.list(&on_node).await?.items.pop() {
            break pod;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let running = |pod: Option<&Pod>| {
        let status = pod.and_then(|pod| pod.status.as_ref());
        status.is_some_and(|status| status.phase.as_deref() == Some("Running"))
    };
    await_condition(pods, &pod.name_any(), running)
        .await?
        .context("the pod is gone")
}
