import tests.integration.test_emacsen_merge as m
orig=m.wait_until
def w(c,l=10,what=''):
    if what=='one text' and l==60.0:
        import pytest
        try: orig(c,25.0,what)
        except BaseException:
            fr=c.__closure__
            cells=dict(zip(c.__code__.co_freevars,[x.cell_contents for x in fr]))
            a,b,name=cells['a'],cells['b'],cells['name']
            for k,e in (('a',a),('b',b)):
                print('====',k,'disk',{i:t for i,t in m.texts((e.synced/name).read_text()).items() if t})
                r=e.do(m.inside(name,'(buffer-string)'))
                print('buf',{i:t for i,t in m.texts(r['value']).items() if t})
                print(e.do(m.inside(name,'(list (buffer-modified-p) (verify-visited-file-modtime) meta-log-peer-sync-core--saving meta-log-peer-sync-view--timer (file-locked-p buffer-file-name))'))['value'])
                for x in m.revisions(e,name)[-8:]: print(x['revision'][:8],x['peer_id'][:9],[p[:8] for p in x['parents']],x['state'])
                print([x for x in r['messages'] if not x.startswith('peer-')][:12])
                print(open(e.synced.parent/'peer.log').read()[-3000:])
            raise
    else: orig(c,l,what)
m.wait_until=w
def test_x(tmp_path): m.test_both_edit_at_once(tmp_path)
