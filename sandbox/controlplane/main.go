// Command plimsoll-controlplane is a Kubernetes control plane in one binary: the programs of a real cluster as
// subcommands, so that one build (and one copy of their common packages) serves them all.
//
// A link named after a subcommand runs that subcommand: `kubectl` linked to this binary is kubectl.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"

	"plimsoll.dev/sandbox/controlplane/metricsadapter"
)

type program struct {
	name string
	run  func()
}

var programs = []program{
	{"etcd", func() { etcdmain.Main(os.Args) }},
	{"kube-apiserver", func() { os.Exit(cli.Run(apiserver.NewAPIServerCommand())) }},
	{"kube-controller-manager", func() { os.Exit(cli.Run(controllermanager.NewControllerManagerCommand())) }},
	{"kube-scheduler", func() { os.Exit(cli.Run(scheduler.NewSchedulerCommand())) }},
	{"kubectl", runKubectl},
	{"metrics-adapter", func() { os.Exit(cli.Run(metricsadapter.NewCommand())) }},
}

func main() {
	if found, ok := programNamed(filepath.Base(os.Args[0])); ok {
		found.run()
		return
	}
	if len(os.Args) < 2 {
		exitWithUsage("no subcommand was given")
	}
	found, ok := programNamed(os.Args[1])
	if !ok {
		exitWithUsage(fmt.Sprintf("unknown subcommand %q", os.Args[1]))
	}
	os.Args = os.Args[1:] // Each program reads os.Args as if it had been started by its own name.
	found.run()
}

func programNamed(name string) (program, bool) {
	for _, candidate := range programs {
		if candidate.name == name {
			return candidate, true
		}
	}
	return program{}, false
}

// runKubectl follows kubectl's own main: verbosity has to be set before the command is built, and errors are printed
// the way kubectl's users know them.
func runKubectl() {
	_, _ = logs.GlogSetter(kubectl.GetLogVerbosity(os.Args)) // The flag parser reports a bad value later on.
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
	}
}

func exitWithUsage(problem string) {
	names := make([]string, 0, len(programs))
	for _, known := range programs {
		names = append(names, known.name)
	}
	fmt.Fprintf(os.Stderr, "plimsoll-controlplane: %s; expected one of: %s\n", problem, strings.Join(names, ", "))
	os.Exit(2)
}
