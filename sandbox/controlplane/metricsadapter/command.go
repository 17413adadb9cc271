// Package metricsadapter serves Plimsoll's pod metrics from Prometheus through custom.metrics.k8s.io, where the
// HorizontalPodAutoscaler reads them. It asks Prometheus anew for every request and keeps nothing.
package metricsadapter

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/kubernetes"
	basecmd "sigs.k8s.io/custom-metrics-apiserver/pkg/cmd"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/cmd/options"
)

type settings struct {
	kubeconfig    string
	prometheusURL string
}

func (s settings) validate() error {
	if s.kubeconfig == "" {
		return errors.New("--kubeconfig is missing: give the kubeconfig of the cluster whose pods are measured")
	}
	parsed, err := url.Parse(s.prometheusURL)
	if err != nil || parsed.Host == "" {
		return fmt.Errorf("--prometheus-url is %q: expected the address of Prometheus, such as http://127.0.0.1:9090",
			s.prometheusURL)
	}
	return nil
}

// NewCommand builds `metrics-adapter`. Its serving flags (--secure-port, --bind-address, --cert-dir …) are those of
// every Kubernetes API server. Callers are authenticated and authorised by the cluster itself, through --kubeconfig.
func NewCommand() *cobra.Command {
	chosen := settings{}
	serving := options.NewCustomMetricsAdapterServerOptions()
	command := &cobra.Command{
		Use:          "metrics-adapter",
		Short:        "Serve Plimsoll's pod metrics from Prometheus to the HorizontalPodAutoscaler",
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(*cobra.Command, []string) error {
			if err := chosen.validate(); err != nil {
				return err
			}
			return serve(genericapiserver.SetupSignalContext(), chosen, serving)
		},
	}
	serving.AddFlags(command.Flags())
	command.Flags().StringVar(&chosen.kubeconfig, "kubeconfig", "", "kubeconfig of the cluster whose pods are measured")
	command.Flags().StringVar(&chosen.prometheusURL, "prometheus-url", "", "address of Prometheus' HTTP API")
	return command
}

func serve(ctx context.Context, chosen settings, serving *options.CustomMetricsAdapterServerOptions) error {
	serving.Authentication.RemoteKubeConfigFile = chosen.kubeconfig
	serving.Authorization.RemoteKubeConfigFile = chosen.kubeconfig
	adapter := &basecmd.AdapterBase{
		Name:                              "plimsoll-metrics-adapter",
		CustomMetricsAdapterServerOptions: serving,
		RemoteKubeConfigFile:              chosen.kubeconfig,
	}
	config, err := adapter.ClientConfig()
	if err != nil {
		return fmt.Errorf("cannot use --kubeconfig %s: %w", chosen.kubeconfig, err)
	}
	cluster, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("cannot make a client of --kubeconfig %s: %w", chosen.kubeconfig, err)
	}
	prometheus, err := newPrometheus(chosen.prometheusURL)
	if err != nil {
		return err
	}
	adapter.WithCustomMetrics(&podMetrics{pods: clusterPods{cluster.CoreV1()}, prometheus: prometheus})
	return adapter.Run(ctx)
}
