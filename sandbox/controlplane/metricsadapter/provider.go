package metricsadapter

import (
	"context"
	"math"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/klog/v2"
	"k8s.io/metrics/pkg/apis/custom_metrics"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider"
)

var podResource = schema.GroupResource{Resource: "pods"}

// clusterPods finds pods in the cluster.
type clusterPods struct {
	client corev1client.PodsGetter
}

func (c clusterPods) names(ctx context.Context, namespace string, selector labels.Selector) ([]string, error) {
	pods, err := c.client.Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(pods.Items))
	for _, pod := range pods.Items {
		names = append(names, pod.Name)
	}
	return names, nil
}

// podMetrics answers the custom metrics API for pods.
type podMetrics struct {
	pods       clusterPods
	prometheus prometheus
}

var _ provider.CustomMetricsProvider = (*podMetrics)(nil)

// GetMetricByName answers for one pod; without a fresh sample it is a 404.
func (m *podMetrics) GetMetricByName(ctx context.Context, name types.NamespacedName, info provider.CustomMetricInfo,
	metricSelector labels.Selector) (*custom_metrics.MetricValue, error) {
	if err := refusal(info, metricSelector); err != nil {
		return nil, err
	}
	found, err := m.prometheus.readings(ctx, info.Metric, name.Namespace, []string{name.Name})
	if err != nil {
		return nil, apierrors.NewServiceUnavailable(err.Error())
	}
	fresh, ok := found[name.Name]
	if !ok {
		return nil, provider.NewMetricNotFoundForError(info.GroupResource, info.Metric, name.Name)
	}
	value := podValue(info.Metric, name, fresh)
	return &value, nil
}

// GetMetricBySelector answers for every matching pod that has a fresh sample.
func (m *podMetrics) GetMetricBySelector(ctx context.Context, namespace string, selector labels.Selector,
	info provider.CustomMetricInfo, metricSelector labels.Selector) (*custom_metrics.MetricValueList, error) {
	if err := refusal(info, metricSelector); err != nil {
		return nil, err
	}
	pods, err := m.pods.names(ctx, namespace, selector)
	if err != nil {
		return nil, err
	}
	found, err := m.prometheus.readings(ctx, info.Metric, namespace, pods)
	if err != nil {
		return nil, apierrors.NewServiceUnavailable(err.Error())
	}
	list := &custom_metrics.MetricValueList{Items: []custom_metrics.MetricValue{}}
	for _, pod := range pods {
		if fresh, ok := found[pod]; ok {
			list.Items = append(list.Items, podValue(info.Metric, types.NamespacedName{Namespace: namespace, Name: pod}, fresh))
		}
	}
	return list, nil
}

// ListAllMetrics feeds API discovery. It cannot fail by contract, so an unreachable Prometheus shows as an empty list
// and a line in the log; the values themselves are then refused with the reason.
func (m *podMetrics) ListAllMetrics() []provider.CustomMetricInfo {
	names, err := m.prometheus.names(context.Background())
	if err != nil {
		klog.ErrorS(err, "No metrics are listed")
		return nil
	}
	infos := make([]provider.CustomMetricInfo, 0, len(names))
	for _, name := range names {
		infos = append(infos, provider.CustomMetricInfo{GroupResource: podResource, Namespaced: true, Metric: name})
	}
	return infos
}

func refusal(info provider.CustomMetricInfo, metricSelector labels.Selector) error {
	if info.GroupResource != podResource || !info.Namespaced || !isServed(info.Metric) {
		return provider.NewMetricNotFoundError(info.GroupResource, info.Metric)
	}
	if !metricSelector.Empty() {
		return apierrors.NewBadRequest("this adapter knows no metric selectors: leave out spec.metrics[].pods.metric.selector")
	}
	return nil
}

func podValue(metric string, pod types.NamespacedName, fresh reading) custom_metrics.MetricValue {
	return custom_metrics.MetricValue{
		DescribedObject: custom_metrics.ObjectReference{
			APIVersion: "v1", Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name,
		},
		Metric:    custom_metrics.MetricIdentifier{Name: metric},
		Timestamp: metav1.NewTime(fresh.at),
		Value:     *resource.NewMilliQuantity(int64(math.Round(fresh.value*1000)), resource.DecimalSI),
	}
}
