-- Who answers: proxies and look-alikes speak the protocol, too.
SELECT VERSION(),@@version_comment,COALESCE((SELECT SUPPORT FROM information_schema.ENGINES WHERE ENGINE='InnoDB'),'NO');
