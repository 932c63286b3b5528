import { withSetting } from '../../lab/hosts/seed';

test('a setting takes the place of its commented line, and the rest stays as it was', () => {
  const shipped = '# Use a name:\n#\n#cluster.name: my-application\n#\n#network.host: 192.168.0.1\n';
  expect(withSetting(shipped, 'cluster.name', 'shop')).toBe(
    '# Use a name:\n#\ncluster.name: shop\n#\n#network.host: 192.168.0.1\n',
  );
});

test('a setting the shipped file does not mention comes at the end', () => {
  expect(withSetting('#a: 1\n\n', 'path.repo', '["$&"]')).toBe('#a: 1\npath.repo: ["$&"]\n');
});
