import { describeBerths } from '../../contract/berths.contract.js';
import { quiet } from '../../contract/content.js';
import { describeTenantFiles } from '../../contract/tenant-files.contract.js';
import { makeFolders } from './subject.js';
describeBerths('local', makeFolders);
describeTenantFiles('local', async () => {
    const folders = await makeFolders();
    const [berthId, otherBerthId] = [folders.ids.berthId(), folders.ids.berthId()];
    await folders.berths.create(berthId, { signal: quiet() });
    await folders.berths.create(otherBerthId, { signal: quiet() });
    return { ...folders, berthId, otherBerthId, capabilities: { presigns: false } };
});
