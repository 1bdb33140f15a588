"""The only room that imports the `kubernetes` library. A verb imports the modules that it uses:

connect    connect(context, kubeconfig, namespace) -> Cluster
api        Cluster: get list watch logs apply create replace patch scale delete conflicts proxy_get within version now
snapshot   snapshot(cluster) -> {kind: {name: object}}, everything of ours, of Secrets metadata alone
wait       wait(cluster, [what], timeout, on_change, informer=, cancelled=)
wait       until goals (sdsk8s.model.goals) are reached
informer   Informer(cluster, selector): the watches that several waits share
exec       exec_(cluster, pod, container, argv, stdin, timeout) -> ExecResult(code, stdout, stderr, cut)
forward    forward(cluster, service, port) -> context with "127.0.0.1:PORT"
leases     Lock(cluster, name, holder, message, on_lost=): a Lease that expires
access     review: permissions; doctor: doctor_checks, health
ownership  foreign_fields(object): what other tools or hands have set on it
history    revisions, load_revision, save_revision: what was rolled out
autoscalers autoscalers(cluster): what else sets replicas
unstick    free_stuck_pods(cluster, name, timeout): of a StatefulSet that waits for a bad revision

Everything fails with ClusterError; failures.ApiError (a ClusterError) has the HTTP code and the conflicts of an apply.
"""
