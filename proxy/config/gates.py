"""The feature gates that kube-proxy 1.37 knows, and which of them decide what it programs.

Ref: pkg/features/kube_features.go and the libraries' own, as ``GetAll()`` lists them in kube-proxy 1.37.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

_FREE_NAMES = """
    APIResponseCompression APIServerIdentity APIServerWebhookAuthenticationToken APIServingWithRoutine AllAlpha
    AllBeta AllowDNSOnlyNodeCSR AllowInsecureKubeletCertificateSigningRequests AllowParsingUserUIDFromCertAuth
    AllowServiceExternalIPs AllowUnsafeMalformedObjectDeletion AtomicFIFO AtomicWriteVolumeUserFields
    AuthorizePodWebsocketUpgradeCreatePermission CBORServingAndStorage CPUManagerPolicyAlphaOptions
    CPUManagerPolicyBetaOptions CRDObservedGenerationTracking CRIListStreaming CSIVolumeHealth
    ChangeContainerStatusOnKubeletRestart ClearingNominatedNodeNameAfterBinding ClientsAllowCARotation
    ClientsAllowCBOR ClientsAllowTLSCacheGC ClientsPreferCBOR CloudControllerManagerWatchBasedRoutesReconciliation
    CloudControllerManagerWebhook ClusterTrustBundle ClusterTrustBundleProjection ComponentFlagz ComponentStatusz
    CompositePodGroup ConcurrentWatchObjectDecode ConsistentListFromCacheSkipTimeoutFallback
    ConstrainedImpersonation ContainerCheckpoint ContainerRestartRules ContainerStopSignals ContextualLogging
    ControllerManagerReleaseLeaderElectionLockOnExit CoordinatedLeaderElection CrossNamespaceVolumeDataSource
    CustomCPUCFSQuotaPeriod DRAConsumableCapacity DRADerivedAttributes DRADeviceBindingConditions
    DRADeviceCompatibilityGroups DRADeviceTaintRules DRADeviceTaints DRAFractionalCapacityRange
    DRAListTypeAttributes DRANodeAllocatableResources DRAOptionalNodeOperations DRAPartitionableDevices
    DRAPartitionableDevicesType DRAResourceClaimGranularStatusAuthorization DRAResourcePoolStatus
    DRASchedulerFilterTimeout DRAWorkloadResourceClaims DeclarativeValidationBeta DefaultPodSysctls
    DeploymentReplicaSetTerminatingReplicas DetectCacheInconsistency EmptyDirVolumeMode EnvFiles EtcdRangeStream
    EventedPLEG EvictionRequestAPI ExcludeAdmissionWebhookVirtualResources ExtendWebSocketsToKubelet
    GRPCContainerProbeTLS GenericWorkload GracefulNodeShutdown GracefulNodeShutdownBasedOnPodPriority
    H2CContainerProbe HPAGeneration HPAOptimizedSelectorStore HPAScaleToZero HugepageAwareEviction
    ImageVolumeWithDigest InOrderInformersBatchProcess InPlacePodLevelResourcesVerticalScaling
    InPlacePodVerticalScalingExclusiveCPUs InPlacePodVerticalScalingExclusiveMemory
    InPlacePodVerticalScalingMemoryBackedVolumes InPlacePodVerticalScalingSchedulerPreemption
    InformerResourceVersion InterPodAffinityHostnameFastPath KMSv1 KubeProxyIPVS KubeProxyNFTablesLocalhostNodePorts
    KubeletAllocatedPodsEndpoint KubeletCrashLoopBackOffMax KubeletEnsureSecretPulledImages KubeletInUserNamespace
    KubeletPodResourcesListUseActivePods KubeletRegistrationGetOnExistsOnly KubeletSeparateDiskGC
    KubeletServiceAccountTokenForCredentialProviders ListFromCacheSnapshot
    LocalStorageCapacityIsolationFSQuotaMonitoring LoggingAlphaOptions LoggingBetaOptions
    ManifestBasedAdmissionControlConfig MatchLabelKeysInPodTopologySpread
    MatchLabelKeysInPodTopologySpreadSelectorMerge MaxUnavailableStatefulSet MemoryQoS MutablePVNodeAffinity
    MutablePodResourcesForSuspendedJobs MutableSchedulingDirectivesForSuspendedJobs MutatingAdmissionPolicy
    NFTablesNetlink NativeHistograms NodeControllerLeaseCircuitBreaker NodeLifecycleConditions
    NominatedNodeNameForExpectation OpenAPIEnums OpportunisticBatching PersistentVolumeClaimUnusedSinceTime
    PodAndContainerStatsFromCRI PodCertificateRequest PodDeletionCost PodGroupPreemptionPolicy
    PodLevelResourceManagers PodLevelResources PodLevelResourcesFixDefaulting PodLevelResourcesFixKubeletQOSClass
    PodLogsQuerySplitStreams PodTopologyLabelsAdmission PodsAPI PortForwardWebsockets QOSReserved
    ReduceDefaultCrashLoopBackOffDecay ReloadKubeletClientCAFile ReloadKubeletServerCertificateFile
    RemoteRequestHeaderUID ResourceHealthStatus ResourceHealthStatusMessage RestartAllContainersOnContainerExits
    RotateKubeletServerCertificate RuntimeClassInImageCriApi SELinuxMount SchedulerAsyncAPICalls
    SchedulerAsyncPreemption SchedulerPopFromBackoffQ SchedulerPreQueueingHints
    ServiceAccountNodeAudienceRestriction ServiceCIDRStatusFieldWiping ShardedListAndWatch SizeBasedListCostEstimate
    StaleControllerConsistencyDaemonSet StaleControllerConsistencyHPA StaleControllerConsistencyJob
    StaleControllerConsistencyReplicaSet StaleControllerConsistencyStatefulSet StatefulSetRecreateStrategy
    StatefulSetSemanticRevisionComparison StorageCapacityScoring StorageNamespaceIndex StorageVersionAPI
    StorageVersionHash StorageVersionMigrator StrictIPCIDRValidation
    StructuredAuthenticationConfigurationEgressSelector StructuredAuthenticationConfigurationJWKSMetrics
    TaintTolerationComparisonOperators TokenRequestServiceAccountUIDValidation TopologyAwareWorkloadScheduling
    TopologyManagerPolicyAlphaOptions TopologyManagerPolicyBetaOptions TranslateStreamCloseWebsocketRequests
    UnauthenticatedHTTP2DOSMitigation UnknownVersionInteroperabilityProxy UnlockWhileProcessingFIFO
    UserNamespacesHostNetworkSupport VolumeBindMountOptions VolumeLimitScaling WatchList WatchListClient
    WatchListCompression WebhookRoundTripLoadBalancing WindowsCPUAndMemoryAffinity WindowsGracefulNodeShutdown
    WindowsHostNetwork WorkloadWithJob
"""
_LOCKED_ON_NAMES = """
    AggregatedDiscoveryRemoveBetaType CPUManagerPolicyOptions CRDValidationRatcheting CSIServiceAccountTokenSecrets
    CustomResourceFieldSelectors DRAAdminAccess DRAExtendedResource DRAPrioritizedList DRAResourceClaimDeviceStatus
    DeclarativeValidation DisableAllocatorDualWrite DisableCPUQuotaWithExclusiveCPUs DisableNodeKubeProxyVersion
    DynamicResourceAllocation ExecProbeTimeout ExternalServiceAccountTokenSigner HPAConfigurableTolerance
    HostnameOverride ImageMaximumGCAge ImageVolume InOrderInformers InPlacePodVerticalScaling
    InPlacePodVerticalScalingInitContainers JobManagedBy KubeletCgroupDriverFromCRI KubeletFineGrainedAuthz
    KubeletPSI KubeletPodResourcesDynamicResources KubeletPodResourcesGet KubeletTracing MatchLabelKeysInPodAffinity
    MultiCIDRServiceAllocator MutableCSINodeAllocatableCount NFTablesProxyMode NodeDeclaredFeatures
    NodeInclusionPolicyInPodTopologySpread NodeLogQuery NodeSwap PLEGOnDemandRelist PodObservedGenerationTracking
    PodReadyToStartContainersCondition PodSchedulingReadiness PreferSameTrafficDistribution ProcMountType
    RecoverVolumeExpansionFailure RecursiveReadOnlyMounts RelaxedEnvironmentVariableValidation
    RelaxedServiceNameValidation SELinuxChangePolicy SELinuxMountReadWriteOncePod SeparateTaintEvictionController
    ServiceAccountTokenJTI ServiceAccountTokenNodeBinding ServiceAccountTokenNodeBindingValidation
    ServiceAccountTokenPodNodeInfo SupplementalGroupsPolicy SystemdWatchdog TopologyManagerPolicyOptions
    UserNamespacesSupport VolumeAttributesClass WatchCacheInitializationPostStartHook WinDSR WinOverlay
"""

_FREE = frozenset(_FREE_NAMES.split())
_LOCKED_ON = frozenset(_LOCKED_ON_NAMES.split())

_NOT_MODELLED: Mapping[str, bool] = {
    "KubeProxyNFTablesLocalhostNodePorts": True,  # nftables mode: a proxy in user space serves node ports on localhost
    "AllowServiceExternalIPs": False,  # all modes: no rules for externalIPs
}
"""The values of gates that change what is programmed in a way that the emulation does not follow, which are not the defaults."""


def refusals(gates: Mapping[str, bool]) -> Iterator[str]:
    """Why kube-proxy would not start with these gates: the first reason, as its library tells no more."""
    for name, value in sorted(gates.items()):
        if name in _LOCKED_ON and not value:
            yield f"cannot set feature gate {name} to false, feature is locked to true"
            return
        if name not in _FREE and name not in _LOCKED_ON:
            yield f"unrecognized feature gate: {name}"
            return


def not_modelled(gates: Mapping[str, bool]) -> Iterator[tuple[str, str]]:
    """The gates whose value the emulation cannot follow: the name as it is written, and what is to be said."""
    for name, value in _NOT_MODELLED.items():
        shown = str(value).lower()
        if gates.get(name) is value:
            yield name, f"feature gate {name}={shown} is not modelled"
    if gates.get("AllAlpha") and "KubeProxyNFTablesLocalhostNodePorts" not in gates:
        yield (
            "AllAlpha",
            "feature gate AllAlpha=true sets KubeProxyNFTablesLocalhostNodePorts=true, which is not modelled",
        )
