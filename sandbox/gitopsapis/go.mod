// The projects whose CustomResourceDefinitions are taken out of their modules, so that the GitOps examples are checked by
// the rules of those who read them. Nothing of them is compiled, so nothing that they need is fetched.
//
// A new version: its number here, then `go mod download -json` in this folder, which says the two sums of each module
// for go.sum. Take none whose go.mod asks for a newer Go than the toolchain's oldest.
module plimsoll.dev/sandbox/gitopsapis

go 1.26.0

require (
	github.com/argoproj/argo-cd/v3 v3.4.9
	github.com/fluxcd/helm-controller v1.6.0
	github.com/fluxcd/kustomize-controller v1.9.6
	github.com/fluxcd/source-controller v1.9.6
)
