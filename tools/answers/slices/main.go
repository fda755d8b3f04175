// Gives the answers of Kubernetes' own EndpointSlice reconciler to the situations that come in as JSON.
//
// In: [{"name", "steps": [{"service", "nodes", "pods"}]}]; out: {name: [{"slices", "events"} of each step]}.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"time"

	corev1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	corelisters "k8s.io/client-go/listers/core/v1"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/endpointslice"
	"k8s.io/endpointslice/topologycache"
	"k8s.io/endpointslice/util"
	"k8s.io/klog/v2"
)

type step struct {
	Service corev1.Service
	Nodes   []corev1.Node
	Pods    []corev1.Pod
}

type situation struct {
	Name  string
	Steps []step
}

type answer struct {
	Slices []discovery.EndpointSlice `json:"slices"`
	Events []string                  `json:"events,omitempty"`
	Error  string                    `json:"error,omitempty"`
}

func main() {
	klog.LogToStderr(false)
	klog.SetOutput(nowhere{})
	var situations []situation
	if err := json.NewDecoder(os.Stdin).Decode(&situations); err != nil {
		panic(err)
	}
	answers := map[string][]answer{}
	for _, one := range situations {
		answers[one.Name] = answerTo(one)
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(answers); err != nil {
		panic(err)
	}
}

type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

func answerTo(one situation) []answer {
	client := fake.NewClientset()
	made := 0
	client.PrependReactor("create", "endpointslices", func(action clienttesting.Action) (bool, runtime.Object, error) {
		slice := action.(clienttesting.CreateAction).GetObject().(*discovery.EndpointSlice)
		made++
		slice.Name = fmt.Sprintf("%s%d", slice.GenerateName, made)
		return false, slice, nil
	})
	nodes := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})
	recorder := record.NewFakeRecorder(1000)
	topology := topologycache.NewTopologyCache()
	reconciler := endpointslice.NewReconciler(client, corelisters.NewNodeLister(nodes), 100, util.NewEndpointSliceTracker(),
		topology, recorder, "endpointslice-controller.k8s.io", endpointslice.WithPreferSameTrafficDistributionEnabled(true))
	found := []answer{}
	for _, now := range one.Steps {
		given := []interface{}{}
		listed := []*corev1.Node{}
		for i := range now.Nodes {
			given = append(given, &now.Nodes[i])
			listed = append(listed, &now.Nodes[i])
		}
		if err := nodes.Replace(given, ""); err != nil {
			panic(err)
		}
		topology.SetNodes(klog.Background(), listed)
		pods := []*corev1.Pod{}
		for i := range now.Pods {
			pods = append(pods, &now.Pods[i])
		}
		result := answer{}
		err := reconciler.Reconcile(klog.Background(), &now.Service, pods, list(client), time.Time{})
		if err != nil {
			result.Error = err.Error()
		}
		for _, slice := range list(client) {
			result.Slices = append(result.Slices, *slice)
		}
		for len(recorder.Events) > 0 {
			result.Events = append(result.Events, <-recorder.Events)
		}
		sort.Strings(result.Events)
		found = append(found, result)
	}
	return found
}

func list(client *fake.Clientset) []*discovery.EndpointSlice {
	items, err := client.DiscoveryV1().EndpointSlices("default").List(context.TODO(), metav1.ListOptions{})
	if err != nil {
		panic(err)
	}
	found := []*discovery.EndpointSlice{}
	for i := range items.Items {
		found = append(found, &items.Items[i])
	}
	return found
}
