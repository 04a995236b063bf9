import { quiet } from '../../contract/content.js';
import { describeDispatch } from '../../contract/dispatch.contract.js';
import { describeFleet } from '../../contract/fleet.contract.js';
import { makeBackend } from './subject.js';
describeDispatch('local', async () => {
    const backend = await makeBackend();
    const [berthId, otherBerthId] = [backend.ids.berthId(), backend.ids.berthId()];
    await backend.berths.create(berthId, { signal: quiet() });
    await backend.berths.create(otherBerthId, { signal: quiet() });
    return { ...backend, berthId, otherBerthId };
});
describeFleet('local', async () => ({ ...(await makeBackend()), capabilities: { imagePerBerth: false } }));
