-- Health of an InferenceDeployment for Argo CD, in the ConfigMap argocd-cm under the key
-- resource.customizations.health.plimsoll.dev_InferenceDeployment, as examples/gitops/argocd/argocd-cm.yaml has it.

local function found(conditions, kind)
  for _, condition in ipairs(conditions) do
    if condition.type == kind then
      return condition
    end
  end
  return { status = "Unknown", reason = "", message = "" }
end

local function health(status, message)
  return { status = status, message = message }
end

-- Waits for somebody: a hold that was asked for, or a canary that the evidence does not decide.
local held = { Paused = true, Untried = true, Frozen = true, Inconclusive = true }

local status = obj.status or {}
if status.conditions == nil or status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "the operator has not seen this change yet")
end

local stalled = found(status.conditions, "Stalled")
local reconciling = found(status.conditions, "Reconciling")
local ready = found(status.conditions, "Ready")

if stalled.status == "True" then
  return health("Degraded", stalled.reason .. ": " .. stalled.message)
elseif reconciling.status == "True" then
  return health("Progressing", reconciling.reason .. ": " .. reconciling.message)
elseif ready.status == "True" then
  return health("Healthy", ready.message)
elseif held[ready.reason] then
  return health("Suspended", ready.reason .. ": " .. ready.message)
end
return health("Progressing", ready.reason .. ": " .. ready.message)
