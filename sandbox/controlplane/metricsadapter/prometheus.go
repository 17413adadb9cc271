package metricsadapter

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	prometheusv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

const (
	// maximumAge is the oldest sample that may still steer scaling. Prometheus would answer with samples of up to five
	// minutes ago, under which a pod that hangs looks as idle, or as busy, as it last was.
	maximumAge = 30 * time.Second
	// queryTimeout leaves the autoscaler time to fall back within one of its own rounds.
	queryTimeout = 5 * time.Second

	namespaceLabel = "inference_namespace"
	podLabel       = "replica"
)

// gaugeName matches what can be averaged over pods as it stands. Counters and histograms cannot: they only mean
// something as rates.
var gaugeName = regexp.MustCompile(`^plimsoll_[a-z0-9_]+$`)
var cumulativeName = regexp.MustCompile(`_(total|count|sum|bucket|created)$`)

func isServed(metric string) bool {
	return gaugeName.MatchString(metric) && !cumulativeName.MatchString(metric)
}

// reading is one pod's value at one time.
type reading struct {
	value float64
	at    time.Time
}

type prometheus struct {
	api prometheusv1.API
}

func newPrometheus(address string) (prometheus, error) {
	client, err := api.NewClient(api.Config{Address: address})
	if err != nil {
		return prometheus{}, fmt.Errorf("cannot use --prometheus-url %s: %w", address, err)
	}
	return prometheus{prometheusv1.NewAPI(client)}, nil
}

// readings answers with the freshest value of each named pod. A pod without a fresh, finite sample is left out: absence
// is not zero, and the autoscaler has its own rule for pods without a metric.
func (p prometheus) readings(ctx context.Context, metric, namespace string, pods []string) (map[string]reading, error) {
	if len(pods) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	answer, _, err := p.api.Query(ctx, podQuery(metric, namespace, pods), time.Now(),
		prometheusv1.WithLookbackDelta(maximumAge), prometheusv1.WithTimeout(queryTimeout))
	if err != nil {
		return nil, fmt.Errorf("Prometheus did not answer for %s in namespace %s: %w", metric, namespace, err)
	}
	vector, ok := answer.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("Prometheus answered a query for %s with a %s, expected a vector", metric, answer.Type())
	}
	return finiteReadings(vector), nil
}

// names lists the metrics that Prometheus holds and this adapter serves.
func (p prometheus) names(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	selector := fmt.Sprintf(`{__name__=~"plimsoll_.+",%s!=""}`, podLabel)
	now := time.Now()
	values, _, err := p.api.LabelValues(ctx, model.MetricNameLabel, []string{selector}, now.Add(-time.Hour), now)
	if err != nil {
		return nil, fmt.Errorf("Prometheus did not list its metrics: %w", err)
	}
	var served []string
	for _, value := range values {
		if isServed(string(value)) {
			served = append(served, string(value))
		}
	}
	return served, nil
}

// podQuery takes the worst value of each pod: a gauge that is split further (by tier, say) or scraped by two jobs still
// gives one number, and never a sum that no pod has shown.
func podQuery(metric, namespace string, pods []string) string {
	patterns := make([]string, 0, len(pods))
	for _, pod := range pods {
		patterns = append(patterns, regexp.QuoteMeta(pod))
	}
	return fmt.Sprintf("max by (%s) (%s{%s=%s,%s=~%s})", podLabel, metric,
		namespaceLabel, strconv.Quote(namespace), podLabel, strconv.Quote(strings.Join(patterns, "|")))
}

func finiteReadings(vector model.Vector) map[string]reading {
	found := make(map[string]reading, len(vector))
	for _, sample := range vector {
		value := float64(sample.Value)
		if math.IsNaN(value) || math.IsInf(value, 0) {
			continue
		}
		found[string(sample.Metric[podLabel])] = reading{value: value, at: sample.Timestamp.Time()}
	}
	return found
}
