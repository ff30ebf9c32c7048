module github.com/sluice-gateway/sluice/test/cluster/programs/echo

go 1.26.0

require sigs.k8s.io/gateway-api/conformance v1.6.3
