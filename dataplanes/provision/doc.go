// Package provision keeps the Kubernetes objects that run one unit's proxy: its
// ServiceAccount, the ConfigMap with the CA of delivery, a Deployment, a Service,
// a PodDisruptionBudget and a NetworkPolicy.
//
// What the objects are is a pure function of what is asked (Objects). The
// Provisioner makes a cluster be like that, and says what came of it: addresses,
// pods that are ready, and what is lacking. It writes only where something
// differs, and never touches an object that it has not made.
//
// The operator alone uses this package: what runs in a proxy's pod must not
// import it, as it knows Kubernetes. It must not read routes or listeners beyond
// the ports that they need, and decides nothing about traffic.
package provision
